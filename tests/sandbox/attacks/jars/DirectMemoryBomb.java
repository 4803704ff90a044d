// tries: allocates memory outside the heap without end
// expect: class DirectMemoryBomb: .*OutOfMemoryError
import com.cloudcheflabs.kiok.sdk.*;

public class DirectMemoryBomb implements KiokDag {
    @Override
    public Dag define() {
        java.util.List<Object> all = new java.util.ArrayList<>();
        while (true) {
            all.add(java.nio.ByteBuffer.allocateDirect(1 << 20));
        }
    }
}
