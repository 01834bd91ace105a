import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Properties;

/** Prints each change that Debezium tells as a line of JSON, until it is ended. Arguments: NAME=VALUE of its options. */
public final class Recorder {
    public static void main(String[] arguments) {
        Properties options = new Properties();
        options.setProperty("name", "recorder");
        options.setProperty("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
        options.setProperty("plugin.name", "pgoutput");
        options.setProperty("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
        for (String argument : arguments) {
            int equals = argument.indexOf('=');
            options.setProperty(argument.substring(0, equals), argument.substring(equals + 1));
        }
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        DebeziumEngine<ChangeEvent<String, String>> engine =
                DebeziumEngine.create(Json.class)
                        .using(options)
                        .notifying(change -> out.println("{\"key\": " + change.key() + ", \"value\": " + change.value() + "}"))
                        .build();
        engine.run();
    }
}
