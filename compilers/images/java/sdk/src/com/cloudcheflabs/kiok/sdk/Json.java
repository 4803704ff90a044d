package com.cloudcheflabs.kiok.sdk;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes JSON byte for byte as the Python SDK does: no white space, keys sorted by Unicode code point, non-ASCII
 * characters unescaped, control characters escaped as Python's {@code json.dumps} escapes them. So the
 * same DAG has the same compiled form in both languages.
 */
final class Json {

    private static final String HEX = "0123456789abcdef";

    private Json() {}

    /** Returns a list as compact JSON text. A null element becomes {@code null}. */
    static String list(List<String> values) {
        StringBuilder out = new StringBuilder("[");
        for (String value : values) {
            separate(out, '[');
            string(out, value);
        }
        return out.append(']').toString();
    }

    /** Returns a map as compact JSON text with sorted keys. A null value becomes {@code null}; a null key is refused. */
    static String map(Map<String, String> values) {
        StringBuilder out = new StringBuilder("{");
        for (Map.Entry<String, String> entry : sorted(values).entrySet()) {
            separate(out, '{');
            string(out, entry.getKey());
            out.append(':');
            string(out, entry.getValue());
        }
        return out.append('}').toString();
    }

    private static Map<String, String> sorted(Map<String, String> values) {
        // String.compareTo orders by UTF-16 unit, which puts U+1F600 before U+FF21; Python orders by code point.
        Map<String, String> sorted = new TreeMap<>(BY_CODE_POINT);
        for (Map.Entry<String, String> entry : values.entrySet()) {
            if (entry.getKey() == null) {
                throw new IllegalArgumentException("a key of the map is null; every key must be a string");
            }
            sorted.put(entry.getKey(), entry.getValue());
        }
        return sorted;
    }

    private static final Comparator<String> BY_CODE_POINT =
            new Comparator<String>() {
                @Override
                public int compare(String a, String b) {
                    int i = 0;
                    while (i < a.length() && i < b.length()) {
                        int left = a.codePointAt(i);
                        int right = b.codePointAt(i);
                        if (left != right) {
                            return left < right ? -1 : 1;
                        }
                        i += Character.charCount(left);
                    }
                    return a.length() - b.length();
                }
            };

    /** Appends a comma unless {@code out} ends with the bracket that opened the list or map. */
    static void separate(StringBuilder out, char opening) {
        if (out.charAt(out.length() - 1) != opening) {
            out.append(',');
        }
    }

    /** Appends a comma, the key and the quoted value, unless the value is null. */
    static void field(StringBuilder out, String key, String value) {
        if (value != null) {
            out.append(",\"").append(key).append("\":");
            wireString(out, value);
        }
    }

    /** Appends a comma, the key and the number, unless it is null. */
    static void field(StringBuilder out, String key, Number value) {
        if (value != null) {
            out.append(",\"").append(key).append("\":").append(value);
        }
    }

    /** Appends {@code value} quoted, or {@code null}. */
    static void string(StringBuilder out, String value) {
        quote(out, value, false);
    }

    /**
     * Like {@link #string}, but half of a surrogate pair is written as an escape: UTF-8 cannot represent it, and an
     * encoder would silently replace it although the author must see the problem.
     */
    static void wireString(StringBuilder out, String value) {
        quote(out, value, true);
    }

    private static void quote(StringBuilder out, String value, boolean escapeLoneSurrogates) {
        if (value == null) {
            out.append("null");
            return;
        }
        out.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (Character.isHighSurrogate(c)
                    && i + 1 < value.length()
                    && Character.isLowSurrogate(value.charAt(i + 1))) {
                out.append(c).append(value.charAt(++i));
            } else if (c < 0x20 || c == '"' || c == '\\') {
                escape(out, c);
            } else if (escapeLoneSurrogates && Character.isSurrogate(c)) {
                unicode(out, c);
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }

    private static void escape(StringBuilder out, char c) {
        int named = "\"\\\n\r\t\f\b".indexOf(c);
        if (named >= 0) {
            out.append('\\').append("\"\\nrtfb".charAt(named));
        } else {
            unicode(out, c);
        }
    }

    private static void unicode(StringBuilder out, char c) {
        out.append("\\u");
        for (int shift = 12; shift >= 0; shift -= 4) {
            out.append(HEX.charAt((c >> shift) & 0xf));
        }
    }
}
