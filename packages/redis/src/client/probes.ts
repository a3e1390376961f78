import { endsWithin } from '@oncekey/core'

/**
 * Small questions that tell whether a server still has to answer what was sent before. A client
 * carries out its commands in order, so when a later one is answered, the client has nothing of an
 * earlier one any more. One of them at a time is under way for each partition.
 */
export interface Probes {
  /**
   * Asks about the partition of this key, unless that is under way already; resolves to whether
   * something that was sent after the command with this number is answered, or is so in time.
   */
  passed(partition: string, key: string, number: number): Promise<boolean>
}

export interface Probe {
  /** Resolves to whether the server replied. Pending for as long as the client has it. */
  readonly isAnswered: Promise<boolean>
  isKept(): boolean
}

export function probes(
  ask: (key: string) => Probe,
  { nextNumber, timeoutMs }: { nextNumber(): number; readonly timeoutMs: number },
): Probes {
  const underWay = new Map<string, Probe & { readonly number: number }>()
  /** For each partition the number of the last probe that was answered. */
  const answered = new Map<string, number>()

  async function passed(partition: string, key: string, number: number): Promise<boolean> {
    const isPassed = (): boolean => (answered.get(partition) ?? 0) > number
    if (isPassed()) return true
    const before = underWay.get(partition)
    if (before?.isKept()) {
      await endsWithin(before.isAnswered, timeoutMs)
      // A probe that was sent before the command proves nothing of it: the next round sends one.
      return isPassed()
    }
    const probe = { ...ask(key), number: nextNumber() }
    underWay.set(partition, probe)
    const ended = probe.isAnswered.then((isAnswered) => {
      if (underWay.get(partition) === probe) underWay.delete(partition)
      if (isAnswered) answered.set(partition, Math.max(probe.number, answered.get(partition) ?? 0))
    })
    await endsWithin(ended, timeoutMs)
    return isPassed()
  }

  return { passed }
}
