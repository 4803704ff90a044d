# tries: links the file next to it into /tmp and writes to it there
# expect: Permission denied|Invalid cross-device link
import os

folder = os.path.dirname(os.path.abspath(__file__))
names = sorted(name for name in os.listdir(folder) if name.startswith("innocent"))
os.link(f"{folder}/{names[-1]}", f"{folder}/linked")
