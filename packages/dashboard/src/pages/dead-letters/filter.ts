import type { DeadLetterFilter } from '@oncekey/core'
import type { Described } from '../../routing/route.ts'

/** What a list, a preview and a redrive are told by: one filter for the three of them. */
export const FILTER: Readonly<Record<string, Described>> = {
  source: {
    about: 'Whose dead letters: consumers, webhooks, sagas. The first there is by default.',
  },
  origin: { about: 'Only of this consumer, endpoint or saga.' },
  type: { about: 'Only of this type.' },
  subject: { about: 'Only about this subject.' },
  fingerprint: { about: 'Only of this kind of error.' },
}

const NAMES = ['origin', 'type', 'subject', 'fingerprint'] as const

/** The filter of a query or of a form. */
export function filterOf(field: (name: string) => string | null | undefined): DeadLetterFilter {
  return Object.fromEntries(
    NAMES.flatMap((name) => {
      const value = field(name)
      return value ? [[name, value] as const] : []
    }),
  )
}

/** The filter as fields of a form or parameters of a link. */
export function fieldsOf({
  origin,
  type,
  subject,
  fingerprint,
}: DeadLetterFilter): Record<string, string | undefined> {
  return { origin, type, subject, fingerprint }
}
