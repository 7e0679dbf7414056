/** First in, first out, at the same cost however long it is: an array's `shift` moves all that is behind. */
export class Queue<T> {
  private items: (T | undefined)[] = [];
  private first = 0;

  get length(): number {
    return this.items.length - this.first;
  }

  push(item: T): void {
    this.items.push(item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.items[this.first];
    this.items[this.first] = undefined;
    this.first += 1;
    // Half of it is empty: each item is moved once on average.
    if (this.first * 2 >= this.items.length) {
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    return item;
  }

  /** Takes all. */
  drain(): T[] {
    const all = this.items.slice(this.first) as T[];
    this.items = [];
    this.first = 0;
    return all;
  }
}
