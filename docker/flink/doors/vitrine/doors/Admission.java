package vitrine.doors;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpHeaderNames;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpHeaders;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpMethod;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpRequest;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.QueryStringDecoder;

/**
 * Which requests Flink's REST server answers: those that address it by a name of its own (so that a foreign name that
 * resolves to this machine is no way in), that no page of another origin sent, and that either only read or carry
 * the key. A link from elsewhere may open the dashboard, and nothing but it.
 */
final class Admission {
    static final String KEY_HEADER = "X-Vitrine-Key";

    private static final Set<String> LOOPBACK = Set.of("127.0.0.1", "localhost", "[::1]");
    private static final Set<String> ENTRANCES = Set.of("/", "/index.html");

    private final Set<String> hosts = new HashSet<>(LOOPBACK);
    private final String keyFile;

    /** @param keyFile null: no request may change anything */
    Admission(String furtherHosts, String keyFile) {
        for (String host : furtherHosts.split(",")) {
            if (!host.isBlank()) {
                hosts.add(host.strip().toLowerCase(Locale.ROOT));
            }
        }
        this.keyFile = keyFile;
    }

    /** Why the request is refused; null: it is not. */
    String refusal(HttpRequest request) {
        HttpHeaders headers = request.headers();
        List<String> host = headers.getAll(HttpHeaderNames.HOST);
        if (host.size() != 1 || !hosts.contains(nameOf(host.get(0)))) {
            return "the Host header names none of this server's addresses (vitrine.doors.hosts)";
        }
        for (String origin : headers.getAll(HttpHeaderNames.ORIGIN)) {
            if (!origin.equalsIgnoreCase("http://" + host.get(0))) {
                return "a page of another origin sent it";
            }
        }
        for (String site : headers.getAll("Sec-Fetch-Site")) {
            if (!site.equals("same-origin") && !site.equals("none") && !opensDashboard(request)) {
                return "a page of another origin sent it";
            }
        }
        if (!onlyReads(request) && !hasKey(headers)) {
            return "it needs the key of this Flink, which `vitrine` has; the dashboard only shows";
        }
        return null;
    }

    private static boolean opensDashboard(HttpRequest request) {
        return request.method().equals(HttpMethod.GET)
                && ENTRANCES.contains(request.uri())
                && "navigate".equals(request.headers().get("Sec-Fetch-Mode"))
                && "document".equals(request.headers().get("Sec-Fetch-Dest"));
    }

    /** Flink has GETs that cancel and stop a job, for proxies that pass on nothing else. */
    private static boolean onlyReads(HttpRequest request) {
        boolean reads = request.method().equals(HttpMethod.GET) || request.method().equals(HttpMethod.HEAD);
        return reads && !new QueryStringDecoder(request.uri()).path().contains("/yarn-");
    }

    private boolean hasKey(HttpHeaders headers) {
        String given = headers.get(KEY_HEADER);
        if (given == null || keyFile == null) {
            return false;
        }
        try {
            byte[] key = Files.readString(Path.of(keyFile)).strip().getBytes(StandardCharsets.UTF_8);
            return key.length > 0 && MessageDigest.isEqual(key, given.strip().getBytes(StandardCharsets.UTF_8));
        } catch (IOException missing) {
            return false;
        }
    }

    /** Host without the port. */
    private static String nameOf(String host) {
        int colon = host.lastIndexOf(':');
        String name = colon > host.lastIndexOf(']') ? host.substring(0, colon) : host;
        return name.toLowerCase(Locale.ROOT);
    }
}
