// tries: writes into every descriptor of its JVM, including the driver's channel
// expect: class ChannelForged: its JVM (sent what is no report|closed|ended|was ended)
import com.cloudcheflabs.kiok.sdk.*;
import java.io.*;

public class ChannelForged implements KiokDag {
    @Override
    public Dag define() {
        for (String descriptor : new File("/proc/self/fd").list()) {
            try (FileOutputStream out = new FileOutputStream("/proc/self/fd/" + descriptor)) {
                out.write(new byte[64]);
            } catch (IOException e) {
                continue;
            }
        }
        return null;
    }
}
