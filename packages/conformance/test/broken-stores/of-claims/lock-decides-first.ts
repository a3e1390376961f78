import { brokenStore } from '../broken-store.ts'

/** In an early experiment of ours, 976 of 1,000 retries of a finished key got `in-progress`. */
export const lockDecidesFirst = brokenStore({
  fault: 'asks the lock before the record',
  steps: () => {
    const locked = new Set<string>()
    return {
      isLocked(id) {
        if (locked.has(id)) return true
        locked.add(id)
        setImmediate(() => locked.delete(id))
        return false
      },
    }
  },
  caughtBy: [
    'the record decides first: 1,000 retries of a finished key, fifty at a time, are 1,000 replays',
    'the record decides first: a key that one instance finished is replayed by another',
    'the record decides first: a finished key answers `replay` and `mismatch` side by side',
  ],
})
