// tries: sends reports to the driver without end
// expect: class ChannelFlood: (hangs or is too slow|its JVM sent what is no report)
// limit: 12
import com.cloudcheflabs.kiok.sdk.*;
import java.io.*;

public class ChannelFlood implements KiokDag {
    @Override
    public Dag define() {
        byte[] record = new byte[5 + 4 + 60_000];
        record[0] = 'P';
        java.nio.ByteBuffer.wrap(record, 1, 4).putInt(record.length - 5);
        for (String descriptor : new File("/proc/self/fd").list()) {
            if (Integer.parseInt(descriptor) <= 2) {
                continue;
            }
            try (FileOutputStream out = new FileOutputStream("/proc/self/fd/" + descriptor)) {
                while (true) {
                    out.write(record);
                }
            } catch (IOException e) {
                continue;
            }
        }
        return null;
    }
}
