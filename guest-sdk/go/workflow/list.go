package workflow

// list is a list in the order in which its elements came, which each of them can leave at once: a slice would make ten
// thousand waiters that leave one after the other slow, and a map has no order.
type list[T any] struct {
	first, last *link[T]
}

// link is an element's place in a list. It is a part of the element, and may be in one list at a time.
type link[T any] struct {
	element    T
	in         *list[T]
	prev, next *link[T]
}

// add puts an element at the end. One that is in a list stays where it is.
func (l *list[T]) add(at *link[T], element T) {
	if at.in != nil {
		return
	}
	at.element, at.in, at.prev = element, l, l.last
	if l.last == nil {
		l.first = at
	} else {
		l.last.next = at
	}
	l.last = at
}

// leave takes an element out of the list that it is in, if it is in one.
func (at *link[T]) leave() {
	l := at.in
	if l == nil {
		return
	}
	if at.prev == nil {
		l.first = at.next
	} else {
		at.prev.next = at.next
	}
	if at.next == nil {
		l.last = at.prev
	} else {
		at.next.prev = at.prev
	}
	at.in, at.prev, at.next = nil, nil, nil
}
