package vitrine.doors;

import java.util.Map;
import java.util.Optional;

import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.io.network.netty.InboundChannelHandlerFactory;
import org.apache.flink.shaded.netty4.io.netty.channel.ChannelHandler;
import org.apache.flink.util.ConfigurationException;

/** Flink asks every factory that a jar names (META-INF/services) for a handler of each connection to its REST port. */
public final class RestGuardFactory implements InboundChannelHandlerFactory {
    /** File that holds the key; read with each request that needs it. Without it nothing can be changed by REST. */
    public static final ConfigOption<String> KEY_FILE =
            ConfigOptions.key("vitrine.doors.key-file").stringType().noDefaultValue();

    /** Names by which browsers may address the dashboard, besides those of the loopback address; commas between. */
    public static final ConfigOption<String> HOSTS =
            ConfigOptions.key("vitrine.doors.hosts").stringType().defaultValue("");

    @Override
    public int priority() {
        return Integer.MAX_VALUE;
    }

    @Override
    public Optional<ChannelHandler> createHandler(Configuration configuration, Map<String, String> responseHeaders)
            throws ConfigurationException {
        Admission admission = new Admission(configuration.get(HOSTS), configuration.get(KEY_FILE));
        return Optional.of(new RestGuard(admission));
    }
}
