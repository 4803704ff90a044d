// tries: fills the heap without end and catches every out-of-memory error
// expect: class HeapBombCaught: .*(OutOfMemoryError|hangs or is too slow)
// limit: 12
import com.cloudcheflabs.kiok.sdk.*;

public class HeapBombCaught implements KiokDag {
    @Override
    public Dag define() {
        java.util.List<Object> all = new java.util.LinkedList<>();
        while (true) {
            try {
                all.add(new byte[1 << 10]);
            } catch (Throwable e) {
                // again
            }
        }
    }
}
