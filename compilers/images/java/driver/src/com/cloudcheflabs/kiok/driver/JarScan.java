package com.cloudcheflabs.kiok.driver;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Finds a jar's DAG classes by reading its class files; no class is loaded, so that none can fail or cause harm.
 *
 * <p>Only class files whose place matches their name are DAG classes: not those of jars inside the jar, nor of
 * {@code BOOT-INF/classes} or {@code META-INF/versions}. A class that implements {@code KiokDag} and cannot be a DAG
 * class is a problem; a class that may be meant as one is a doubt.
 */
final class JarScan {

    /** More entries than any jar of DAG classes with its dependencies has; fewer than the old limit of the zip format. */
    static final int MAX_ENTRIES = 50_000;

    /** The largest class file that is read. The virtual machine's own limits keep real ones far below. */
    static final int MAX_CLASS_BYTES = 16 << 20;

    private static final String CLASS = ".class";
    private static final String JAR = ".jar";
    private static final int MAX_NAMED_JARS = 5;

    private final ZipFile zip;
    private final Map<String, ClassFile> files = new TreeMap<>();
    private final Map<String, ClassFile> misplaced = new TreeMap<>(); // by the name of the entry
    private final Map<String, ClassFile> misplacedByName = new HashMap<>();
    private final List<String> innerJars = new ArrayList<>();
    private final Map<String, Ancestry> known = new HashMap<>();
    private final List<String> problems = new ArrayList<>();
    private final List<String> doubts = new ArrayList<>();
    private byte[] buffer = new byte[1 << 16];

    /** How a type relates to {@code KiokDag}. MISSING: it extends a type that was not found, so this is unknown. */
    private enum Ancestry {
        IS_DAG,
        IS_NONE,
        MISSING
    }

    /** The jar is too large to be scanned. */
    static final class TooLarge extends Exception {
        private static final long serialVersionUID = 1;

        TooLarge(String message) {
            super(message);
        }
    }

    JarScan(ZipFile zip) {
        this.zip = zip;
    }

    /** Returns problems that belong to no DAG class, found by {@link #dagClasses}. */
    List<String> problems() {
        return problems;
    }

    /**
     * Returns classes that may be DAG classes but could not be evaluated, found by {@link #dagClasses}. While there are
     * any, a DAG that the jar defined before does not count as removed.
     */
    List<String> doubts() {
        return doubts;
    }

    /** Returns why the jar holds no DAG class, if {@link #dagClasses} found none. */
    String notADag() {
        if (files.isEmpty()) {
            return "the jar holds no class";
        }
        return (files.size() == 1 ? "its only class is not" : "none of its " + files.size() + " classes is")
                + " a concrete class that implements " + Sdk.KIOK_DAG.replace('/', '.');
    }

    /** Returns every concrete class that implements {@code KiokDag} and can be instantiated, sorted by name. */
    List<ClassFile> dagClasses() throws TooLarge {
        if (zip.size() > MAX_ENTRIES) {
            throw new TooLarge(
                    "the jar has " + zip.size() + " entries; at most " + MAX_ENTRIES
                            + " are read. Remove the dependencies that are not needed to define the DAGs");
        }
        for (Enumeration<? extends ZipEntry> all = zip.entries(); all.hasMoreElements(); ) {
            ZipEntry entry = all.nextElement();
            String name = entry.getName();
            if (name.endsWith(CLASS) && !name.startsWith(Sdk.FOLDER)) {
                read(entry);
            } else if (name.endsWith(JAR)) {
                innerJars.add(name);
            }
        }
        List<ClassFile> found = new ArrayList<>();
        List<ClassFile> unusable = new ArrayList<>();
        for (ClassFile file : files.values()) {
            Ancestry ancestry = ancestry(file.name(), new HashSet<>());
            if (ancestry != Ancestry.IS_DAG) {
                doubtful(file, ancestry);
            } else if (file.isConstructible()) {
                found.add(file);
            } else if (!file.isLocal() && (file.isConcreteClass() || file.isEnum())) {
                unusable.add(file);
            }
        }
        if (!unusable.isEmpty()) {
            report(unusable);
        }
        for (Map.Entry<String, ClassFile> each : misplaced.entrySet()) {
            misplaced(each.getKey(), each.getValue());
        }
        if (!innerJars.isEmpty()) {
            doubts.add(unreadJars());
        }
        return found;
    }

    /** Records a doubt or problem for a class that is not a known DAG class but may be meant as one. */
    private void doubtful(ClassFile file, Ancestry ancestry) {
        if (!file.isConstructible()) {
            return;
        }
        if (ancestry == Ancestry.MISSING) {
            String message =
                    "class " + file.className() + ": it is unknown whether it defines a DAG, because "
                            + missingAncestor(file) + " is not in the jar; a jar must contain its own dependencies";
            (mentionsSdk(file) ? problems : doubts).add(message);
        } else if (definesDag(file)) {
            doubts.add(
                    "class " + file.className() + ": it has a method define() that returns a Dag, but does not implement "
                            + "KiokDag; add 'implements KiokDag' if it is a DAG class");
        }
    }

    /**
     * Reports classes that implement KiokDag and cannot be DAG classes. A class that another class creates or extends may
     * be an intentional helper; any other can only be meant as a DAG class.
     */
    private void report(List<ClassFile> unusable) {
        Set<String> constructed = constructed();
        for (ClassFile file : unusable) {
            boolean isHelper = !file.isEnum() && constructed.contains(file.name()); // an enum's constants construct it
            (isHelper ? doubts : problems).add("class " + file.className() + ": " + Unusable.why(file));
        }
    }

    /** Returns the classes whose constructors another class of the jar calls, to create or to extend them. */
    private Set<String> constructed() {
        Set<String> found = new HashSet<>();
        for (ClassFile file : files.values()) {
            try {
                int length = fill(zip.getEntry(file.name() + CLASS)); // before the buffer, which it may replace
                found.addAll(ClassFile.constructedBy(buffer, length));
            } catch (IOException | IllegalArgumentException | ClassFile.Malformed e) {
                // It was read before, so this cannot happen; if it did, the class would be a problem, not a doubt.
                continue;
            }
        }
        return found;
    }

    private void misplaced(String entry, ClassFile file) {
        if (files.containsKey(file.name()) || !(file.isConcreteClass() || file.isEnum())) {
            return; // another version of an existing class
        }
        Ancestry ancestry = ancestry(file.name(), new HashSet<>());
        if (ancestry == Ancestry.IS_DAG || ancestry == Ancestry.MISSING && mentionsSdk(file)) {
            problems.add("class " + file.className() + ": " + Unusable.whyMisplaced(entry, file));
        }
    }

    private String unreadJars() {
        StringBuilder names = new StringBuilder();
        for (int i = 0; i < innerJars.size() && i < MAX_NAMED_JARS; i++) {
            names.append(i == 0 ? "" : ", ").append(innerJars.get(i));
        }
        int more = innerJars.size() - MAX_NAMED_JARS;
        return "jars inside the jar are not read: " + names + (more > 0 ? " and " + more + " more" : "")
                + "; unpack them into one jar if they hold DAG classes";
    }

    private boolean definesDag(ClassFile file) {
        Set<String> seen = new HashSet<>();
        ClassFile each = file;
        while (each != null && !each.definesDag() && each.superName() != null && seen.add(each.name())) {
            each = find(each.superName());
        }
        return each != null && each.definesDag();
    }

    private void read(ZipEntry entry) {
        String name = entry.getName();
        try {
            int length = fill(entry);
            if (length > MAX_CLASS_BYTES) {
                problems.add("entry " + name + " is larger than " + MAX_CLASS_BYTES + " bytes, too large for a class");
                return;
            }
            try {
                ClassFile file = ClassFile.parse(buffer, length);
                if (name.equals(file.name() + CLASS)) {
                    files.put(file.name(), file);
                } else {
                    misplaced.put(name, file);
                    misplacedByName.put(file.name(), file);
                }
            } catch (ClassFile.Malformed e) {
                // Some jars contain templates named like classes. One that mentions the SDK was meant to be a class.
                String message = "entry " + name + " is no valid class file: " + e.getMessage();
                (Sdk.mentioned(buffer, 0, length) ? problems : doubts).add(message);
            }
        } catch (IOException | IllegalArgumentException e) {
            problems.add("entry " + name + " cannot be read: " + e.getMessage());
        }
    }

    /** Reads the entry into the buffer, growing it as needed; stops soon after the limit. Returns the length. */
    private int fill(ZipEntry entry) throws IOException {
        try (InputStream in = zip.getInputStream(entry)) {
            int length = 0;
            while (true) {
                int read = in.readNBytes(buffer, length, buffer.length - length);
                length += read;
                if (length < buffer.length || length > MAX_CLASS_BYTES) {
                    return length;
                }
                buffer = Arrays.copyOf(buffer, Math.min(buffer.length * 2, MAX_CLASS_BYTES + 1));
            }
        }
    }

    private Ancestry ancestry(String name, Set<String> below) {
        if (name.equals(Sdk.KIOK_DAG)) {
            return Ancestry.IS_DAG;
        }
        ClassFile file = find(name);
        if (file == null) {
            return isElsewhere(name) ? Ancestry.IS_NONE : Ancestry.MISSING;
        }
        Ancestry answer = known.get(name);
        if (answer != null) {
            return answer;
        }
        answer = Ancestry.IS_NONE;
        if (below.add(name)) { // a class that is its own ancestor fails to load; this only prevents an endless loop
            for (String parent : parents(file)) {
                Ancestry inherited = ancestry(parent, below);
                if (inherited == Ancestry.IS_DAG) {
                    answer = inherited;
                    break;
                }
                answer = inherited == Ancestry.MISSING ? inherited : answer;
            }
        }
        known.put(name, answer);
        return answer;
    }

    /** Returns the class of this name in the jar, at its correct place or not; null if there is none. */
    private ClassFile find(String name) {
        ClassFile file = files.get(name);
        return file == null ? misplacedByName.get(name) : file;
    }

    private boolean mentionsSdk(ClassFile file) {
        Set<String> seen = new HashSet<>();
        ClassFile each = file;
        while (each != null && !each.mentionsSdk() && each.superName() != null && seen.add(each.name())) {
            each = find(each.superName());
        }
        return each != null && each.mentionsSdk();
    }

    private String missingAncestor(ClassFile file) {
        for (String parent : parents(file)) {
            ClassFile inJar = find(parent);
            if (inJar == null && !isElsewhere(parent)) {
                return parent.replace('/', '.');
            }
            if (inJar != null && known.get(parent) == Ancestry.MISSING) {
                return missingAncestor(inJar);
            }
        }
        return "one of its supertypes";
    }

    private static List<String> parents(ClassFile file) {
        List<String> parents = new ArrayList<>(file.interfaces());
        if (file.superName() != null) {
            parents.add(file.superName());
        }
        return parents;
    }

    private static boolean isElsewhere(String name) {
        return name.startsWith(Sdk.FOLDER)
                || ClassLoader.getPlatformClassLoader().getResource(name + CLASS) != null;
    }
}
