package com.cloudcheflabs.kiok.driver;

import java.lang.reflect.Modifier;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The facts in a class file about its class, read without loading it. Names are internal ones, with slashes.
 *
 * <p>The format is that of the Java Virtual Machine Specification, chapter 4.
 *
 * @param major version of the class file; 44 more than the required Java release
 * @param access access flags
 * @param superName null for {@code java/lang/Object} and modules
 * @param constructor the constructor that is easiest to call without arguments
 * @param isObject whether it stores its only instance in a field, as objects of Kotlin and Scala do
 * @param definesDag whether it has a method {@code define()} that returns the SDK's {@code Dag}
 * @param isLocal whether it is declared inside a method: an anonymous or a local class
 * @param mentionsSdk whether it refers to anything in the SDK
 */
record ClassFile(
        String name,
        int major,
        int access,
        String superName,
        List<String> interfaces,
        Constructor constructor,
        boolean isObject,
        boolean definesDag,
        boolean isLocal,
        boolean mentionsSdk) {

    /** Constructors by how easily they can be called without arguments, the worst first. */
    enum Constructor {
        WITH_ARGUMENTS,
        WITH_OUTER_OBJECT,
        NOT_PUBLIC,
        PUBLIC
    }

    private static final int MAGIC = 0xCAFEBABE;
    private static final int ACC_ANNOTATION = 0x2000;
    private static final int ACC_ENUM = 0x4000;
    private static final int ACC_MODULE = 0x8000;
    private static final String CONSTRUCTOR = "<init>";
    private static final String RETURNS_DAG = "()L" + Sdk.FOLDER + "Dag;";

    /** The bytes are not a class file. */
    static final class Malformed extends Exception {
        private static final long serialVersionUID = 1;

        Malformed(String message) {
            super(message);
        }
    }

    boolean isConcreteClass() {
        int other = Modifier.INTERFACE | Modifier.ABSTRACT | ACC_ANNOTATION | ACC_ENUM | ACC_MODULE;
        return (access & other) == 0;
    }

    /** Returns whether it is an enum, and not the body of one of its constants. */
    boolean isEnum() {
        return (access & ACC_ENUM) != 0 && "java/lang/Enum".equals(superName);
    }

    boolean isRecord() {
        return "java/lang/Record".equals(superName);
    }

    boolean isConstructible() {
        return isConcreteClass() && constructor == Constructor.PUBLIC;
    }

    String className() {
        return name.replace('/', '.');
    }

    /** Reads the first {@code length} of {@code bytes}. */
    static ClassFile parse(byte[] bytes, int length) throws Malformed {
        try {
            return new Parser(ByteBuffer.wrap(bytes, 0, length)).parse();
        } catch (BufferUnderflowException | IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new Malformed("truncated or inconsistent");
        }
    }

    /**
     * Returns the classes that this class file creates or extends: those whose constructors it calls, except itself.
     */
    static Set<String> constructedBy(byte[] bytes, int length) throws Malformed {
        try {
            return new Parser(ByteBuffer.wrap(bytes, 0, length)).constructed();
        } catch (BufferUnderflowException | IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new Malformed("truncated or inconsistent");
        }
    }

    private static final class Parser {
        private static final int METHOD = 10;

        private final ByteBuffer in;
        private int[] offsets = new int[0];
        private List<Integer> methods; // positions of their constants; null: not collected
        private boolean mentionsSdk;
        private boolean isObject;
        private boolean definesDag;
        private boolean isLocal;

        Parser(ByteBuffer in) {
            this.in = in;
        }

        ClassFile parse() throws Malformed {
            int major = header();
            int access = u2();
            String name = className(u2());
            int superIndex = u2();
            String superName = superIndex == 0 ? null : className(superIndex);
            List<String> interfaces = new ArrayList<>(2);
            for (int left = u2(); left > 0; left--) {
                interfaces.add(className(u2()));
            }
            fields("L" + name + ";");
            Constructor constructor = methods(name);
            for (int left = u2(); left > 0; left--) {
                String attribute = utf8(u2());
                isLocal = isLocal || "EnclosingMethod".equals(attribute);
                skip(in.getInt());
            }
            return new ClassFile(
                    name, major, access, superName, interfaces, constructor, isObject, definesDag, isLocal, mentionsSdk);
        }

        Set<String> constructed() throws Malformed {
            methods = new ArrayList<>();
            header();
            u2(); // access
            String self = className(u2());
            Set<String> found = new HashSet<>();
            for (int offset : methods) {
                String owner = className(in.getShort(offset) & 0xffff);
                int nameAndType = offsets[in.getShort(offset + 2) & 0xffff];
                if (!owner.equals(self) && CONSTRUCTOR.equals(utf8(in.getShort(nameAndType) & 0xffff))) {
                    found.add(owner);
                }
            }
            return found;
        }

        /** Reads up to the access flags and returns the major version. */
        private int header() throws Malformed {
            if (in.getInt() != MAGIC) {
                throw new Malformed("the magic bytes of a class file are missing");
            }
            u2(); // minor version
            int major = u2();
            constants();
            return major;
        }

        private void constants() throws Malformed {
            int count = u2();
            offsets = new int[count];
            for (int i = 1; i < count; i++) {
                int tag = in.get();
                offsets[i] = in.position();
                switch (tag) {
                    case 1 -> utf8Constant();
                    case 7, 8, 16, 19, 20 -> skip(2);
                    case 15 -> skip(3);
                    case METHOD -> {
                        if (methods != null) {
                            methods.add(offsets[i]);
                        }
                        skip(4);
                    }
                    case 3, 4, 9, 11, 12, 17, 18 -> skip(4);
                    case 5, 6 -> {
                        skip(8);
                        i++; // long and double take two indexes
                    }
                    default -> throw new Malformed("unknown constant of type " + tag);
                }
            }
        }

        private void utf8Constant() {
            int length = u2();
            mentionsSdk = mentionsSdk || Sdk.mentioned(in.array(), in.position(), in.position() + length);
            skip(length);
        }

        private void fields(String ownType) {
            for (int left = u2(); left > 0; left--) {
                boolean isStatic = (u2() & Modifier.STATIC) != 0;
                int name = u2();
                int descriptor = u2();
                isObject = isObject || isStatic && holdsObject(utf8(name)) && ownType.equals(utf8(descriptor));
                skipAttributes();
            }
        }

        private static boolean holdsObject(String field) {
            return "INSTANCE".equals(field) || "MODULE$".equals(field);
        }

        /** Reads the methods and returns the best constructor. */
        private Constructor methods(String owner) {
            int dollar = owner.lastIndexOf('$');
            String takesOuter = dollar < 0 ? "" : "(L" + owner.substring(0, dollar) + ";)V";
            Constructor best = Constructor.WITH_ARGUMENTS;
            for (int left = u2(); left > 0; left--) {
                boolean isPublic = (u2() & Modifier.PUBLIC) != 0;
                String name = utf8(u2());
                int descriptor = u2();
                if (CONSTRUCTOR.equals(name)) {
                    Constructor it = constructor(utf8(descriptor), takesOuter, isPublic);
                    best = it.compareTo(best) > 0 ? it : best;
                }
                definesDag = definesDag || "define".equals(name) && RETURNS_DAG.equals(utf8(descriptor));
                skipAttributes();
            }
            return best;
        }

        private static Constructor constructor(String descriptor, String takesOuter, boolean isPublic) {
            if ("()V".equals(descriptor)) {
                return isPublic ? Constructor.PUBLIC : Constructor.NOT_PUBLIC;
            }
            return takesOuter.equals(descriptor) ? Constructor.WITH_OUTER_OBJECT : Constructor.WITH_ARGUMENTS;
        }

        private void skipAttributes() {
            for (int left = u2(); left > 0; left--) {
                skip(2);
                skip(in.getInt());
            }
        }

        private String className(int index) {
            return utf8(in.getShort(offsets[index]) & 0xffff);
        }

        private String utf8(int index) {
            int offset = offsets[index];
            int length = in.getShort(offset) & 0xffff;
            if (offset + 2 + length > in.limit()) {
                throw new IndexOutOfBoundsException();
            }
            // "Modified UTF-8" differs only in NUL and outside the BMP; such a name matches no other and stays unused.
            return new String(in.array(), offset + 2, length, StandardCharsets.UTF_8);
        }

        private int u2() {
            return in.getShort() & 0xffff;
        }

        private void skip(int length) {
            if (length < 0 || length > in.remaining()) {
                throw new BufferUnderflowException();
            }
            in.position(in.position() + length);
        }
    }
}
