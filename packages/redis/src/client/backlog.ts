/**
 * How much was sent and has had no answer in time. A client keeps all of it until the server
 * answers or the connection breaks, and a server that hangs breaks none: each claim would leave
 * some kilobytes, until the process has no memory left. So once there is too much, only one
 * question a second is asked, to learn whether the server answers again.
 *
 * In a cluster each partition counts for itself, because a node that hangs is not all of them.
 */
export interface Backlog {
  isEmpty(): boolean
  /** Something has had no answer in time. Returns what to call once it has one, or has failed. */
  late(partition: string): () => void
  /** Something had its answer in time: the server does not hang, whatever it left unanswered. */
  answered(partition: string): void
  /** Whether nothing more is to be asked now. */
  isFull(partition: string): boolean
}

export function backlog(): Backlog {
  const partitions = new Map<string, { late: number; askAt: number }>()

  return {
    isEmpty: () => partitions.size === 0,

    late(partition) {
      const its = partitions.get(partition) ?? { late: 0, askAt: 0 }
      partitions.set(partition, its)
      its.late += 1
      return () => {
        its.late -= 1
        if (its.late === 0 && partitions.get(partition) === its) partitions.delete(partition)
      }
    },

    answered(partition) {
      partitions.delete(partition)
    },

    isFull(partition) {
      const its = partitions.get(partition)
      if (its === undefined || its.late < MOST_LATE) return false
      const now = performance.now()
      if (now < its.askAt) return true
      its.askAt = now + ASK_EVERY_MS
      return false
    },
  }
}

const MOST_LATE = 200
const ASK_EVERY_MS = 1_000
