const followers = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls back when the signal aborts, until the function that it returns is called. All callbacks of
 * a signal share one listener, because Node warns of a leak from the eleventh on.
 */
export function follow(signal: AbortSignal, aborted: () => void): () => void {
  const all = followers.get(signal) ?? startFollowing(signal)
  all.add(aborted)
  return () => {
    all.delete(aborted)
    if (all.size === 0) stopFollowing(signal, all)
  }
}

const listeners = new WeakMap<Set<() => void>, () => void>()

function startFollowing(signal: AbortSignal): Set<() => void> {
  const all = new Set<() => void>()
  const listener = (): void => {
    for (const aborted of all) aborted()
  }
  followers.set(signal, all)
  listeners.set(all, listener)
  signal.addEventListener('abort', listener, { once: true })
  return all
}

function stopFollowing(signal: AbortSignal, all: Set<() => void>): void {
  if (followers.get(signal) !== all) return
  followers.delete(signal)
  const listener = listeners.get(all)
  if (listener !== undefined) signal.removeEventListener('abort', listener)
}

/**
 * Aborts the controller when the signal aborts, for as long as one of its holders is reachable. A
 * function of its own, because a closure keeps alive whatever is in the scope it was made in.
 */
export function followWhileHeld(
  signal: AbortSignal,
  controller: AbortController,
  holders: readonly object[],
): void {
  const weak = new WeakRef(controller)
  const leave = follow(signal, () => weak.deref()?.abort(signal.reason))
  for (const holder of holders) held.set(holder, [controller, ...(held.get(holder) ?? [])])
  unheld.register(controller, leave)
}

const held = new WeakMap<object, readonly AbortController[]>()
const unheld = new FinalizationRegistry<() => void>((leave) => leave())
