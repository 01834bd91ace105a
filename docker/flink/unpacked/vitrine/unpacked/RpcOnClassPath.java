package vitrine.unpacked;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.rpc.RpcSystem;
import org.apache.flink.runtime.rpc.RpcSystemLoader;
import org.apache.flink.util.FlinkRuntimeException;

/**
 * Flink's RPC system from the class path, where class-data archives reach it.
 *
 * <p>Flink's own loader copies the jar out of its distribution at every start and gives it a class loader of its own,
 * whose 2,400 classes each JVM reads and verifies anew. That one stays: where this fails, Flink takes it.
 */
public final class RpcOnClassPath implements RpcSystemLoader {
    private static final String SYSTEM = "org.apache.flink.runtime.rpc.pekko.PekkoRpcSystem";

    @Override
    public int getLoadPriority() {
        return -1; // The least is asked first; Flink's own has 0.
    }

    @Override
    public RpcSystem loadRpcSystem(Configuration configuration) {
        try {
            return (RpcSystem) Class.forName(SYSTEM).getDeclaredConstructor().newInstance();
        } catch (ReflectiveOperationException error) {
            throw new FlinkRuntimeException(SYSTEM + " is not on the class path", error);
        }
    }
}
