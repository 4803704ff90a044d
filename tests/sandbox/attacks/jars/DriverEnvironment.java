// tries: reads the environment of the driver
// expect: class DriverEnvironment: .*AccessDeniedException: /proc/1/environ
import com.cloudcheflabs.kiok.sdk.*;
import java.nio.file.*;

public class DriverEnvironment implements KiokDag {
    @Override
    public Dag define() {
        try {
            Files.readAllBytes(Paths.get("/proc/1/environ"));
        } catch (java.io.IOException e) {
            throw new IllegalStateException(e);
        }
        return null;
    }
}
