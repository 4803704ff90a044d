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
 * Finds a jar's DAG classes by reading its class files; no class is loaded, so that none can fail or do harm.
 *
 * <p>Only class files at the place their name says count: not those of jars inside the jar, nor of
 * {@code BOOT-INF/classes} or {@code META-INF/versions}.
 */
final class JarScan {

    /** More entries than any jar of DAG classes with its dependencies has; fewer than the zip format's old limit. */
    static final int MAX_ENTRIES = 50_000;

    /** The largest class file read. The virtual machine's own limits keep real ones well below. */
    static final int MAX_CLASS_BYTES = 16 << 20;

    private static final String CLASS = ".class";

    private final ZipFile zip;
    private final Map<String, ClassFile> files = new TreeMap<>();
    private final Map<String, Ancestry> known = new HashMap<>();
    private final List<String> problems = new ArrayList<>();
    private byte[] buffer = new byte[1 << 16];

    /** How a type relates to {@code KiokDag}. MISSING: it extends something that is nowhere, so nobody can tell. */
    private enum Ancestry {
        IS_DAG,
        IS_NONE,
        MISSING
    }

    /** The jar holds too much to be scanned. */
    static final class TooLarge extends Exception {
        private static final long serialVersionUID = 1;

        TooLarge(String message) {
            super(message);
        }
    }

    JarScan(ZipFile zip) {
        this.zip = zip;
    }

    /** Problems that belong to no DAG class, found by {@link #dagClasses}. */
    List<String> problems() {
        return problems;
    }

    /** Every concrete class that implements {@code KiokDag} and can be instantiated, sorted by name. */
    List<ClassFile> dagClasses() throws TooLarge {
        if (zip.size() > MAX_ENTRIES) {
            throw new TooLarge(
                    "the jar has " + zip.size() + " entries; at most " + MAX_ENTRIES
                            + " are read. Leave out the dependencies that defining the DAGs does not need");
        }
        for (Enumeration<? extends ZipEntry> all = zip.entries(); all.hasMoreElements(); ) {
            ZipEntry entry = all.nextElement();
            if (entry.getName().endsWith(CLASS) && !entry.getName().startsWith(Sdk.FOLDER)) {
                read(entry);
            }
        }
        List<ClassFile> found = new ArrayList<>();
        for (ClassFile file : files.values()) {
            if (!file.isConcreteClass() || !file.constructible()) {
                continue;
            }
            Ancestry ancestry = ancestry(file.name(), new HashSet<>());
            if (ancestry == Ancestry.IS_DAG) {
                found.add(file);
            } else if (ancestry == Ancestry.MISSING && mentionsSdk(file)) {
                problems.add(
                        "class " + file.className() + ": whether it defines a DAG cannot be told, because "
                                + missingAncestor(file) + " is not in the jar; a jar must carry its own dependencies");
            }
        }
        return found;
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
                }
            } catch (ClassFile.Malformed e) {
                // Some jars carry templates named like classes. What speaks of the SDK was meant to be one.
                if (Sdk.mentioned(buffer, 0, length)) {
                    problems.add("entry " + name + " is no valid class file: " + e.getMessage());
                }
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
        ClassFile file = files.get(name);
        if (file == null) {
            return isElsewhere(name) ? Ancestry.IS_NONE : Ancestry.MISSING;
        }
        Ancestry answer = known.get(name);
        if (answer != null) {
            return answer;
        }
        answer = Ancestry.IS_NONE;
        if (below.add(name)) { // a class that is its own ancestor fails to load; here it must only not loop
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

    private boolean mentionsSdk(ClassFile file) {
        Set<String> seen = new HashSet<>();
        ClassFile each = file;
        while (each != null && !each.mentionsSdk() && each.superName() != null && seen.add(each.name())) {
            each = files.get(each.superName());
        }
        return each != null && each.mentionsSdk();
    }

    private String missingAncestor(ClassFile file) {
        for (String parent : parents(file)) {
            ClassFile inJar = files.get(parent);
            if (inJar == null && !isElsewhere(parent)) {
                return parent.replace('/', '.');
            }
            if (inJar != null && known.get(parent) == Ancestry.MISSING) {
                return missingAncestor(inJar);
            }
        }
        return "an ancestor of it";
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
