// tries: requests credentials from a cloud's metadata service
// expect: class Network: .*(Operation not permitted|unreachable)
import com.cloudcheflabs.kiok.sdk.*;

public class Network implements KiokDag {
    @Override
    public Dag define() {
        try (java.net.Socket socket = new java.net.Socket()) {
            socket.connect(new java.net.InetSocketAddress("169.254.169.254", 80), 1000);
        } catch (java.io.IOException e) {
            throw new IllegalStateException(e);
        }
        return null;
    }
}
