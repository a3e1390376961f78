import { meansType, type Standing, tell, warnOnce } from '@oncekey/core'
import type { Consumer } from '../consumer/consumer.ts'
import type { RunnerState } from './runner-state.ts'

/**
 * Applies `standing`, which says what this relay may do while other releases of its consumer run. A
 * relay that has to give way reads nothing more, and releases its slots once everything it has read
 * has ended. Its cursors have not passed anything that the other release takes, because a log reads
 * only the types on record.
 */
export function stand<Tx>(state: RunnerState<Tx>, standing: Standing): void {
  const before = state.standing
  state.standing = standing
  const isSame =
    before.reads === standing.reads &&
    before.alone === standing.alone &&
    before.wanted.join() === standing.wanted.join()
  if (isSame) return
  state.toRead.wake()
  state.dueAt = 0
  if (!standing.alone) alertTypesDiffer(state, standing)
}

/** Whether a consumer takes events of this type. */
export function takes<Tx>({ types }: Consumer<Tx>, type: string): boolean {
  return types === null || meansType(types, type)
}

function alertTypesDiffer<Tx>({ consumer }: RunnerState<Tx>, { wanted, reads }: Standing): void {
  const { name, types } = consumer
  const text =
    `Relays with different types run for consumer "${name}": this one takes ${shown(types)}, and all ` +
    `together ${shown(wanted)}. ${reads ? 'It reads for all and leaves to the others what only they take.' : 'It gives way to one that takes all of them.'} ` +
    'This is normal while a deploy changes `types`; if it lasts, two programs share a name.'
  const heard = tell('oncekey:alert', () => ({
    source: 'consumers',
    kind: 'types-differ',
    about: name,
    value: wanted.length,
    threshold: types?.length ?? 0,
    text,
  }))
  if (!heard) warnOnce(`types-differ:${name}`, text)
}

function shown(types: readonly string[] | null): string {
  return types === null ? "['*']" : JSON.stringify(types)
}
