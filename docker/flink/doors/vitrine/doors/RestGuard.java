package vitrine.doors;

import java.nio.charset.StandardCharsets;

import org.apache.flink.shaded.netty4.io.netty.buffer.Unpooled;
import org.apache.flink.shaded.netty4.io.netty.channel.ChannelDuplexHandler;
import org.apache.flink.shaded.netty4.io.netty.channel.ChannelFutureListener;
import org.apache.flink.shaded.netty4.io.netty.channel.ChannelHandlerContext;
import org.apache.flink.shaded.netty4.io.netty.channel.ChannelInboundHandlerAdapter;
import org.apache.flink.shaded.netty4.io.netty.channel.ChannelPromise;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.DefaultFullHttpResponse;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpHeaderNames;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpHeaders;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpRequest;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpResponse;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpResponseStatus;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpServerCodec;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpVersion;
import org.apache.flink.shaded.netty4.io.netty.util.ReferenceCountUtil;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stands before everything that Flink's REST server does with a request: what {@link Admission} refuses gets 403 and
 * the end of its connection. Every answer tells browsers that no other page may embed or read it.
 *
 * <p>Flink puts handlers of a factory behind the one that writes uploads to disk, so the gate itself is put where it
 * belongs, behind the codec, when this handler is added. One per connection, on the connection's thread.
 */
final class RestGuard extends ChannelInboundHandlerAdapter {
    private static final Logger LOG = LoggerFactory.getLogger(RestGuard.class);

    private final Admission admission;

    RestGuard(Admission admission) {
        this.admission = admission;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        ChannelHandlerContext codec = context.pipeline().context(HttpServerCodec.class);
        if (codec == null) {
            throw new IllegalStateException("no HTTP codec before the guard, which is made for Flink 2.3: run `make setup`");
        }
        context.pipeline().addAfter(codec.name(), "vitrine-gate", new Gate(admission));
    }

    private static final class Gate extends ChannelDuplexHandler {
        private final Admission admission;
        private boolean refused;

        Gate(Admission admission) {
            this.admission = admission;
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            if (!refused && message instanceof HttpRequest) {
                String reason = admission.refusal((HttpRequest) message);
                if (reason != null) {
                    refused = true;
                    HttpRequest request = (HttpRequest) message;
                    // Not louder: warnings go to a file without end.
                    LOG.info("refused {} {}: {}", request.method(), request.uri(), reason);
                    refuse(context, reason);
                }
            }
            if (refused) {
                ReferenceCountUtil.release(message);
            } else {
                context.fireChannelRead(message);
            }
        }

        private void refuse(ChannelHandlerContext context, String reason) {
            byte[] body = ("{\"errors\":[\"refused: " + reason + "\"]}").getBytes(StandardCharsets.UTF_8);
            DefaultFullHttpResponse response = new DefaultFullHttpResponse(
                    HttpVersion.HTTP_1_1, HttpResponseStatus.FORBIDDEN, Unpooled.wrappedBuffer(body));
            HttpHeaders headers = response.headers();
            headers.set(HttpHeaderNames.CONTENT_TYPE, "application/json; charset=UTF-8");
            headers.setInt(HttpHeaderNames.CONTENT_LENGTH, body.length);
            headers.set(HttpHeaderNames.CONNECTION, "close");
            seal(headers);
            context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
        }

        @Override
        public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
            if (message instanceof HttpResponse) {
                seal(((HttpResponse) message).headers());
            }
            context.write(message, promise);
        }

        private static void seal(HttpHeaders headers) {
            headers.remove(HttpHeaderNames.ACCESS_CONTROL_ALLOW_ORIGIN);
            headers.set("X-Frame-Options", "DENY");
            headers.set("X-Content-Type-Options", "nosniff");
            headers.set("Cross-Origin-Resource-Policy", "same-origin");
            headers.set("Cross-Origin-Opener-Policy", "same-origin");
        }
    }
}
