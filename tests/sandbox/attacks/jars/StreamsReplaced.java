// tries: replaces the streams, properties, locale and default handlers of the JVM
// outcome: compiled
import com.cloudcheflabs.kiok.sdk.*;
import java.io.*;

public class StreamsReplaced implements KiokDag {
    @Override
    public Dag define() {
        System.setOut(new PrintStream(new ByteArrayOutputStream()));
        System.setErr(null);
        System.setProperties(new java.util.Properties());
        java.util.Locale.setDefault(new java.util.Locale("tr", "TR"));
        java.util.TimeZone.setDefault(null);
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> System.exit(1));
        Dag dag = new Dag("streams_replaced");
        dag.task("t").shell("true");
        return dag;
    }
}
