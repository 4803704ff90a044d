# tries: moves a file of its own over the one next to it
# expect: Permission denied|Invalid cross-device link
import os

folder = os.path.dirname(os.path.abspath(__file__))
names = sorted(name for name in os.listdir(folder) if name.startswith("innocent"))
os.rename(f"{folder}/{names[0]}", f"{folder}/{names[-1]}")
