/** Console lines of a board, whole ones only, and who waits for one. */
export class Lines {
  readonly all: string[] = [];
  onLine: (line: string) => void = () => undefined;
  #rest = "";

  push(text: string): void {
    const parts = (this.#rest + text).split("\n");
    this.#rest = parts.pop() ?? "";
    for (const part of parts) {
      const line = part.replaceAll("\r", "");
      if (line === "") continue;
      this.all.push(line);
      this.onLine(line);
    }
  }
}
