import type { Act } from '@oncekey/core'
import { type ObjectSchema, type Schema, text } from '../api/schema.ts'
import type { DashboardAct } from './access.ts'
import type { ResolvedOptions } from './options.ts'
import {
  type ActOutcome,
  type ActRoute,
  type Asked,
  BadInput,
  type Described,
  type Form,
} from './route.ts'

interface ConfirmedAct {
  readonly path: string
  readonly act: DashboardAct
  readonly isConfinable?: boolean
  readonly summary: string
  readonly fields: Readonly<Record<string, Described>>
  readonly answers: ObjectSchema
  exists(options: ResolvedOptions): boolean
  perform(form: Form, asked: Asked, act: Act): Promise<ActOutcome>
}

/**
 * Makes an act that requires a reason and a confirmation, and is performed in the viewer's name,
 * which its answer tells.
 */
export function confirmedAct({
  perform,
  fields,
  summary,
  answers,
  ...route
}: ConfirmedAct): ActRoute {
  return {
    method: 'POST',
    ...route,
    api: {
      summary,
      takes: {
        ...fields,
        note: { about: 'Why, for the audit; 1 to 2,000 characters.', required: true },
        confirmed: { about: 'That what follows is known.', required: true, choices: ['yes'] },
      },
      answers: withActor(answers),
    },
    async perform(form, asked) {
      if (form.optional('confirmed') !== 'yes') {
        throw new BadInput('Confirm that you know what follows from it: `confirmed` is `yes`.')
      }
      const note = form.text('note')
      if (note.trim() === '' || note.length > 2_000 || note.includes('\0')) {
        throw new BadInput('Say why in `note`, in 1 to 2,000 characters: it goes on record.')
      }
      const { actor } = asked.viewer
      const outcome = await perform(form, asked, { actor, note })
      return { ...outcome, result: { ...outcome.result, actor } }
    },
  }
}

/** A program knows a token, and learns from the answer in whose name it has acted. */
function withActor(answers: ObjectSchema): Schema {
  return {
    ...answers,
    properties: { ...answers.properties, actor: text },
    required: [...answers.required, 'actor'],
  }
}
