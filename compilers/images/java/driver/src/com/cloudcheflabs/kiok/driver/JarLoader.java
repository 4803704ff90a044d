package com.cloudcheflabs.kiok.driver;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.MalformedURLException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.security.CodeSource;
import java.security.ProtectionDomain;
import java.security.cert.Certificate;
import java.util.Collections;
import java.util.Enumeration;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Loads classes and resources of one jar only: its manifest's {@code Class-Path} is never read. The
 * SDK's package comes from the sandbox even if the jar contains a copy; the driver is not visible at all.
 */
final class JarLoader extends ClassLoader {

    static {
        registerAsParallelCapable();
    }

    private final ZipFile zip;
    private final String root;
    private final ProtectionDomain domain;

    JarLoader(File jar, ZipFile zip) throws MalformedURLException {
        super(ClassLoader.getPlatformClassLoader());
        this.zip = zip;
        // "!/" in a folder's name would end the jar's part of the URL.
        String file = jar.toURI().toString().replace("!", "%21");
        this.root = "jar:" + file + "!/";
        this.domain = new ProtectionDomain(new CodeSource(URI.create(file).toURL(), (Certificate[]) null), null, this, null);
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (name.startsWith(Sdk.PACKAGE)) {
            return Class.forName(name, false, JarLoader.class.getClassLoader());
        }
        return super.loadClass(name, resolve);
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
        String path = name.replace('.', '/') + ".class";
        ZipEntry entry = zip.getEntry(path);
        if (entry == null) {
            throw new ClassNotFoundException(name);
        }
        try (InputStream in = zip.getInputStream(entry)) {
            byte[] bytes = in.readNBytes(JarScan.MAX_CLASS_BYTES + 1);
            if (bytes.length > JarScan.MAX_CLASS_BYTES) {
                throw new ClassFormatError(name + " is larger than " + JarScan.MAX_CLASS_BYTES + " bytes");
            }
            return defineClass(name, bytes, 0, bytes.length, domain);
        } catch (IOException e) {
            throw new ClassNotFoundException(name + " (entry " + path + " cannot be read)", e);
        }
    }

    @Override
    protected URL findResource(String name) {
        if (zip.getEntry(name) == null) {
            return null;
        }
        try {
            String path = new URI(null, null, "/" + name, null).toASCIIString().substring(1);
            return new URL(root + path.replace("!", "%21"));
        } catch (URISyntaxException | MalformedURLException e) {
            return null; // a name that cannot be part of a URL; its class files still load
        }
    }

    @Override
    protected Enumeration<URL> findResources(String name) {
        URL found = findResource(name);
        return found == null ? Collections.emptyEnumeration() : Collections.enumeration(Collections.singleton(found));
    }
}
