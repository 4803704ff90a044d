// tries: defines classes without end
// expect: class ClassBomb: .*(OutOfMemoryError|hangs or is too slow)
// limit: 12
import com.cloudcheflabs.kiok.sdk.*;

public class ClassBomb implements KiokDag {
    @Override
    public Dag define() {
        java.util.List<Object> all = new java.util.ArrayList<>();
        Class<?>[] types = {Runnable.class, Comparable.class};
        while (true) {
            ClassLoader loader = new ClassLoader(ClassBomb.class.getClassLoader()) {};
            all.add(java.lang.reflect.Proxy.newProxyInstance(loader, types, (a, b, c) -> null));
        }
    }
}
