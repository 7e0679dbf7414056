/** What is going to happen in a test: by the time at which it does, then in the order in which it was said. */
export class Schedule {
  #due = [];
  #sequence = 0;

  /** @param {number} at Milliseconds from the start. */
  add(at, what) {
    const entry = { at, sequence: this.#sequence++, ...what };
    let [low, high] = [0, this.#due.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#due[middle].at <= at) low = middle + 1;
      else high = middle;
    }
    this.#due.splice(low, 0, entry);
  }

  get first() {
    return this.#due[0];
  }

  takeFirst() {
    return this.#due.shift();
  }

  /** What happens at the same time as the first, without queries: they are asked alone. */
  takeMoment() {
    const { at } = this.first;
    const end = this.#due.findIndex((entry) => entry.at > at);
    const moment = this.#due.splice(0, end === -1 ? this.#due.length : end);
    this.#due.unshift(...moment.filter((entry) => entry.query));
    return moment.filter((entry) => !entry.query);
  }

  /** The end of an op that has not ended, taken out. */
  takeOp(op) {
    const place = this.#due.findIndex((entry) => entry.op === op);
    return place === -1 ? undefined : this.#due.splice(place, 1)[0];
  }

  /** Only queries are left. */
  keepQueries() {
    this.#due = this.#due.filter((entry) => entry.query);
  }

  get queries() {
    return this.#due.filter((entry) => entry.query);
  }
}
