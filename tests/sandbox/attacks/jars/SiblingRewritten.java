// tries: rewrites the jars next to it
// expect: class SiblingRewritten: .*AccessDeniedException: /src/
import com.cloudcheflabs.kiok.sdk.*;
import java.io.*;
import java.nio.file.*;

public class SiblingRewritten implements KiokDag {
    @Override
    public Dag define() {
        try {
            for (File file : new File("/src").listFiles()) {
                if (file.getName().startsWith("innocent")) {
                    Files.delete(file.toPath());
                    Files.write(file.toPath(), new byte[100]);
                }
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        return null;
    }
}
