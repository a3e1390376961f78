import type { DeadLetterFilter } from '@oncekey/core'
import type { Call } from '../../command/command.ts'
import { refuseEmpty } from '../../command/common-options.ts'
import type { Option } from '../../command/option.ts'
import { sourceNames } from '../../connection/log.ts'

export const OF: Readonly<Record<string, Option>> = {
  of: { value: 'source', choices: sourceNames, help: 'Whose dead letters. Default: consumers.' },
}

const reasons = ['permanent', 'exhausted', 'poison', 'unwanted'] as const

/** The options by which verbs choose dead letters. */
export const FILTER: Readonly<Record<string, Option>> = {
  origin: { value: 'name', help: 'Only of this consumer, endpoint or saga.' },
  type: { value: 'type', help: 'Only events of this type.' },
  subject: { value: 'text', help: 'Only events about this subject.' },
  reason: { value: 'reason', choices: reasons, help: 'Only those that died so.' },
  kind: { value: 'text', help: 'Only this kind of error: the column kind of dead groups.' },
  event: { value: 'id', many: true, help: 'Only of this event.' },
  after: { value: 'time', help: 'Only those that died after then: a time, or so long ago.' },
  before: { value: 'time', help: 'Only those that died before then.' },
}

/**
 * The filter that the command line describes. If it names no condition, the filter takes all
 * letters.
 */
export function filterOf({ given }: Call): DeadLetterFilter {
  refuseEmpty(given, Object.keys(FILTER))
  const ids = given.operands('id')
  const events = given.list('event')
  const [origin, type, subject] = [given.text('origin'), given.text('type'), given.text('subject')]
  const [reason, kind] = [given.text('reason'), given.text('kind')]
  // `dead watch` has no options for times, because it shows letters that die while it runs.
  const timeOf = (name: string) => (given.has(name) ? given.time(name) : undefined)
  const [after, before] = [timeOf('after'), timeOf('before')]
  return {
    ...(ids.length > 0 && { ids }),
    ...(events.length > 0 && { eventIds: events }),
    ...(origin !== undefined && { origin }),
    ...(type !== undefined && { type }),
    ...(subject !== undefined && { subject }),
    ...(reason !== undefined && { reason: reason as NonNullable<DeadLetterFilter['reason']> }),
    ...(kind !== undefined && { fingerprint: kind }),
    ...(after !== undefined && { deadAfter: after }),
    ...(before !== undefined && { deadBefore: before }),
  }
}
