// tries: makes a shell kill every process that it may kill
// expect: its process was ended by signal 9|class EverythingKilled: its JVM was ended by SIGKILL
// spares: nothing
import com.cloudcheflabs.kiok.sdk.*;

public class EverythingKilled implements KiokDag {
    @Override
    public Dag define() {
        try {
            new ProcessBuilder("/bin/sh", "-c", "kill -9 -1; kill -9 1").start().waitFor();
            Thread.sleep(1000);
        } catch (java.io.IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
        return null;
    }
}
