package vitrine.doors;

import java.io.IOException;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.channels.ServerSocketChannel;
import java.security.ProtectionDomain;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

import org.apache.flink.shaded.asm9.org.objectweb.asm.ClassReader;
import org.apache.flink.shaded.asm9.org.objectweb.asm.ClassVisitor;
import org.apache.flink.shaded.asm9.org.objectweb.asm.ClassWriter;
import org.apache.flink.shaded.asm9.org.objectweb.asm.Label;
import org.apache.flink.shaded.asm9.org.objectweb.asm.MethodVisitor;
import org.apache.flink.shaded.asm9.org.objectweb.asm.Opcodes;

/**
 * A Java agent: in a JVM that starts with {@code -javaagent:vitrine-doors.jar} a server that would listen on every
 * address of the machine listens on the loopback address.
 *
 * <p>Flink's Prometheus reporter and the twelve gRPC servers that Beam opens for Python workers know no setting for
 * their address. Every server of a JVM comes by one of the JDK's {@code bind} methods, or by that of Netty's own
 * sockets for Linux (of which each library has a copy under a name of its own); these get a prologue here. An address
 * that somebody chose is left as it is, and so are the ports given to the agent, separated by commas
 * ({@code -javaagent:vitrine-doors.jar=8081}).
 */
public final class Agent {
    private static final Set<String> OF_THE_JDK = Set.of(
            "sun/nio/ch/ServerSocketChannelImpl",
            "sun/nio/ch/AsynchronousServerSocketChannelImpl",
            "java/net/ServerSocket");
    private static final String OF_NETTY = "io/netty/channel/epoll/EpollServerSocketChannel";
    private static final Set<String> BIND =
            Set.of("bind(Ljava/net/SocketAddress;I", "doBind(Ljava/net/SocketAddress;");
    private static final String ADDRESS = "java/net/InetSocketAddress";

    private Agent() {}

    /** Throws, and so keeps the JVM from starting, where servers could still listen everywhere. */
    public static void premain(String arguments, Instrumentation instrumentation) throws Exception {
        List<Integer> open = new ArrayList<>();
        for (String port : (arguments == null ? "" : arguments).split(",")) {
            if (!port.isBlank()) {
                open.add(Integer.valueOf(port.strip()));
            }
        }
        instrumentation.addTransformer(new Prologue(open), true);
        instrumentation.retransformClasses(ServerSocket.class, channelClass());
        verify();
    }

    private static Class<?> channelClass() throws IOException {
        try (ServerSocketChannel channel = ServerSocketChannel.open()) {
            return channel.getClass();
        }
    }

    private static void verify() throws IOException {
        try (ServerSocketChannel channel = ServerSocketChannel.open(); ServerSocket socket = new ServerSocket(0)) {
            channel.bind(new InetSocketAddress(0));
            InetSocketAddress bound = (InetSocketAddress) channel.getLocalAddress();
            if (!bound.getAddress().isLoopbackAddress() || !socket.getInetAddress().isLoopbackAddress()) {
                throw new IllegalStateException("servers of this JVM would listen on every address: " + bound
                        + "; run Flink with a JDK 17 (JAVA_HOME)");
            }
        }
    }

    private static final class Prologue implements ClassFileTransformer {
        private final List<Integer> open;

        Prologue(List<Integer> open) {
            this.open = open;
        }

        @Override
        public byte[] transform(
                ClassLoader loader, String name, Class<?> changed, ProtectionDomain domain, byte[] bytes) {
            if (name == null || !(loader == null ? OF_THE_JDK.contains(name) : name.endsWith(OF_NETTY))) {
                return null;
            }
            ClassReader reader = new ClassReader(bytes);
            ClassWriter writer = new ClassWriter(reader, ClassWriter.COMPUTE_MAXS);
            reader.accept(new ClassVisitor(Opcodes.ASM9, writer) {
                @Override
                public MethodVisitor visitMethod(
                        int access, String method, String descriptor, String signature, String[] exceptions) {
                    MethodVisitor next = super.visitMethod(access, method, descriptor, signature, exceptions);
                    boolean binds = BIND.contains((method + descriptor).replaceFirst("\\).*", ""))
                            && (access & (Opcodes.ACC_ABSTRACT | Opcodes.ACC_STATIC | Opcodes.ACC_BRIDGE)) == 0;
                    return binds ? new Bind(next, open) : next;
                }
            }, 0);
            return writer.toByteArray();
        }
    }

    /**
     * Puts before a method's code: null, or an address of all interfaces, becomes the loopback address of that port.
     * Both jumps end where the locals are those of the method's entry, hence the frames.
     */
    private static final class Bind extends MethodVisitor {
        private final List<Integer> open;

        Bind(MethodVisitor next, List<Integer> open) {
            super(Opcodes.ASM9, next);
            this.open = open;
        }

        @Override
        public void visitCode() {
            super.visitCode();
            Label given = new Label();
            Label end = new Label();
            super.visitVarInsn(Opcodes.ALOAD, 1);
            super.visitJumpInsn(Opcodes.IFNONNULL, given);
            beginAddress();
            super.visitInsn(Opcodes.ICONST_0);
            endAddress();
            super.visitJumpInsn(Opcodes.GOTO, end);

            super.visitLabel(given);
            super.visitFrame(Opcodes.F_SAME, 0, null, 0, null);
            super.visitVarInsn(Opcodes.ALOAD, 1);
            super.visitTypeInsn(Opcodes.INSTANCEOF, ADDRESS);
            super.visitJumpInsn(Opcodes.IFEQ, end);
            ask("getAddress", "()Ljava/net/InetAddress;");
            super.visitJumpInsn(Opcodes.IFNULL, end);
            ask("getAddress", "()Ljava/net/InetAddress;");
            super.visitMethodInsn(
                    Opcodes.INVOKEVIRTUAL, "java/net/InetAddress", "isAnyLocalAddress", "()Z", false);
            super.visitJumpInsn(Opcodes.IFEQ, end);
            for (int port : open) {
                ask("getPort", "()I");
                super.visitLdcInsn(port);
                super.visitJumpInsn(Opcodes.IF_ICMPEQ, end);
            }
            beginAddress();
            ask("getPort", "()I");
            endAddress();

            super.visitLabel(end);
            super.visitFrame(Opcodes.F_SAME, 0, null, 0, null);
            super.visitInsn(Opcodes.NOP);
        }

        private void ask(String method, String descriptor) {
            super.visitVarInsn(Opcodes.ALOAD, 1);
            super.visitTypeInsn(Opcodes.CHECKCAST, ADDRESS);
            super.visitMethodInsn(Opcodes.INVOKEVIRTUAL, ADDRESS, method, descriptor, false);
        }

        private void beginAddress() {
            super.visitTypeInsn(Opcodes.NEW, ADDRESS);
            super.visitInsn(Opcodes.DUP);
            super.visitMethodInsn(Opcodes.INVOKESTATIC, "java/net/InetAddress", "getLoopbackAddress",
                    "()Ljava/net/InetAddress;", false);
        }

        private void endAddress() {
            super.visitMethodInsn(
                    Opcodes.INVOKESPECIAL, ADDRESS, "<init>", "(Ljava/net/InetAddress;I)V", false);
            super.visitVarInsn(Opcodes.ASTORE, 1);
        }
    }
}
