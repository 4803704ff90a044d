// tries: fills the heap without end
// expect: class HeapBomb: .*OutOfMemoryError
import com.cloudcheflabs.kiok.sdk.*;

public class HeapBomb implements KiokDag {
    @Override
    public Dag define() {
        java.util.List<long[]> all = new java.util.ArrayList<>();
        while (true) {
            all.add(new long[1 << 17]);
        }
    }
}
