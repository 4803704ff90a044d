package com.cloudcheflabs.kiok.driver;

import java.lang.reflect.Modifier;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * What a class file says about its class, read without loading it. Names are internal ones, with slashes.
 *
 * <p>The format is that of the Java Virtual Machine Specification, chapter 4.
 *
 * @param major version of the class file; 44 more than the Java release it needs
 * @param access access flags
 * @param superName null for {@code java/lang/Object} and modules
 * @param constructible whether it has a public constructor without arguments
 * @param mentionsSdk whether it names anything of the SDK
 */
record ClassFile(
        String name,
        int major,
        int access,
        String superName,
        List<String> interfaces,
        boolean constructible,
        boolean mentionsSdk) {

    private static final int MAGIC = 0xCAFEBABE;
    private static final int ACC_ANNOTATION = 0x2000;
    private static final int ACC_ENUM = 0x4000;
    private static final int ACC_MODULE = 0x8000;

    /** The bytes are no class file. */
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

    private static final class Parser {
        private final ByteBuffer in;
        private int[] offsets = new int[0];
        private boolean mentionsSdk;

        Parser(ByteBuffer in) {
            this.in = in;
        }

        ClassFile parse() throws Malformed {
            if (in.getInt() != MAGIC) {
                throw new Malformed("no class file magic");
            }
            u2(); // minor version
            int major = u2();
            constants();
            int access = u2();
            String name = className(u2());
            int superIndex = u2();
            String superName = superIndex == 0 ? null : className(superIndex);
            List<String> interfaces = new ArrayList<>(2);
            for (int left = u2(); left > 0; left--) {
                interfaces.add(className(u2()));
            }
            skipFields();
            boolean constructible = findConstructor();
            return new ClassFile(name, major, access, superName, interfaces, constructible, mentionsSdk);
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
                    case 3, 4, 9, 10, 11, 12, 17, 18 -> skip(4);
                    case 5, 6 -> {
                        skip(8);
                        i++; // long and double take two places
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

        private void skipFields() {
            for (int left = u2(); left > 0; left--) {
                skip(6);
                skipAttributes();
            }
        }

        private boolean findConstructor() {
            boolean found = false;
            for (int left = u2(); left > 0; left--) {
                boolean isPublic = (u2() & Modifier.PUBLIC) != 0;
                int name = u2();
                int descriptor = u2();
                found = found || isPublic && "<init>".equals(utf8(name)) && "()V".equals(utf8(descriptor));
                skipAttributes();
            }
            return found;
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
            // "Modified UTF-8" differs only in NUL and beyond the BMP; such a name matches no other and stays unused.
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
