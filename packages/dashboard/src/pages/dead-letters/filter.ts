import type { DeadLetterFilter, RetryingFilter } from '@oncekey/core'
import { timeOf } from '../../routing/given-time.ts'
import { BadInput, type Described } from '../../routing/route.ts'

const NAMES = ['origin', 'type', 'subject', 'fingerprint'] as const
const REASONS = ['permanent', 'exhausted', 'poison', 'unwanted'] as const

/** The filter that the list, the preview and the redrive of dead letters share. */
export const FILTER: Readonly<Record<string, Described>> = {
  source: {
    about: 'Whose dead letters: consumers, webhooks, sagas. The first there is by default.',
    narrows: true,
  },
  origin: { about: 'Only of this consumer, endpoint or saga.', narrows: true },
  type: { about: 'Only of this type.', narrows: true },
  subject: { about: 'Only about this subject.', narrows: true },
  fingerprint: { about: 'Only of this kind of error.', narrows: true },
  reason: { about: 'Only those that died so.', choices: REASONS, narrows: true },
  event: { about: 'Only of the event of this id.', narrows: true },
  deadAfter: {
    about: 'Only those that died after this time, ISO 8601 with its zone.',
    narrows: true,
  },
  deadBefore: {
    about: 'Only those that died before this time, ISO 8601 with its zone.',
    narrows: true,
  },
}

/** The filter in a query or in a form. */
export function filterOf(field: (name: string) => string | null | undefined): DeadLetterFilter {
  const texts = Object.fromEntries(
    NAMES.flatMap((name) => {
      const value = field(name)
      return value ? [[name, value] as const] : []
    }),
  )
  const [reason, event] = [field('reason') || undefined, field('event') || undefined]
  const known = REASONS.find((each) => each === reason)
  if (reason !== undefined && known === undefined) {
    throw new BadInput(`There is no reason "${reason}". These there are: ${REASONS.join(', ')}.`)
  }
  const [deadAfter, deadBefore] = [timeOf('deadAfter', field), timeOf('deadBefore', field)]
  return {
    ...texts,
    ...(known !== undefined && { reason: known }),
    ...(event !== undefined && { eventIds: [event] }),
    ...(deadAfter !== undefined && { deadAfter }),
    ...(deadBefore !== undefined && { deadBefore }),
  }
}

/** The same for those that are tried again, which have no time of death, and no reason for it. */
export function retryingFilterOf(filter: DeadLetterFilter): RetryingFilter {
  const { origin, type, subject, ...rest } = filter
  if (Object.keys(rest).length > 0) {
    throw new BadInput(
      'Those that are tried again are looked for by origin, type and subject only: leave the others empty.',
    )
  }
  return filter
}

/** The filter as fields of a form or parameters of a link. */
export function fieldsOf({
  origin,
  type,
  subject,
  fingerprint,
  reason,
  eventIds,
  deadAfter,
  deadBefore,
}: DeadLetterFilter): Record<string, string | undefined> {
  return {
    origin,
    type,
    subject,
    fingerprint,
    reason,
    event: eventIds?.[0],
    deadAfter: deadAfter?.toISOString(),
    deadBefore: deadBefore?.toISOString(),
  }
}
