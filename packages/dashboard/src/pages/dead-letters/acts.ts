import { linkTo } from '../../html/parts.ts'
import { confirmedAct } from '../../routing/act.ts'
import { type ActRoute, BadInput, type Form } from '../../routing/route.ts'
import { FILTER, fieldsOf, filterOf } from './filter.ts'
import { maskedData } from './masked.ts'
import { discardedSchema, redrivenSchema, replacedSchema } from './schemas.ts'
import { sourceOf } from './source-of.ts'

/** How many letters one act redrives at most, so that it needs only a few statements. */
export const MOST_REDRIVEN = 1_000

const exists = ({ deadLetters }: { readonly deadLetters: readonly unknown[] }): boolean =>
  deadLetters.length > 0

export const redriveLetters: ActRoute = confirmedAct({
  path: 'dead-letters/redrive',
  act: 'dead-letters.redrive',
  summary: 'Redrive dead letters, the oldest first: one of them, or those that match',
  fields: {
    ...FILTER,
    id: { about: 'The id of one letter. Without it, all that match the filter.', narrows: true },
    limit: { about: `At most so many, up to ${MOST_REDRIVEN}.`, narrows: true },
  },
  answers: redrivenSchema,
  exists,
  async perform(form, { options }, act) {
    const source = sourceOf(options, form.optional('source') ?? null)
    const id = form.optional('id')
    const filter = filterOf(form.optional)
    const limit = id === undefined ? limitOf(form) : 1
    const asked = id === undefined ? filter : { ...filter, ids: [id] }
    const { redriven, refused } = await source.redrive(asked, { limit, ...act })
    const result = { redriven, refused }
    if (id === undefined) {
      const did = redriven.length === 1 ? 'one is redriven' : `${redriven.length} are redriven`
      const query = { source: source.name, ...fieldsOf(filter), did }
      return { to: linkTo('../dead-letters', { ...query, result: 'done' }), result }
    }
    const word = redriven.includes(id) ? 'done' : (refused[0]?.outcome ?? 'unknown')
    const query = { source: source.name, id, did: 'redrive', result: word }
    return { to: linkTo('one', query), result }
  },
})

export const discardLetter: ActRoute = confirmedAct({
  path: 'dead-letters/discard',
  act: 'dead-letters.discard',
  summary: 'Mark one dead letter as never to be delivered',
  fields: {
    source: FILTER.source ?? { about: '' },
    id: { about: 'The id of the letter.', required: true },
  },
  answers: discardedSchema,
  exists,
  async perform(form, { options }, act) {
    const source = sourceOf(options, form.optional('source') ?? null)
    const id = form.text('id')
    const resolutions = await source.discard([id], act.note, act)
    const outcome = resolutions[0]?.outcome ?? 'unknown'
    const word = outcome === 'discarded' ? 'done' : outcome
    const query = { source: source.name, id, did: 'discard', result: word }
    return { to: linkTo('one', query), result: { resolutions } }
  },
})

export const editLetter: ActRoute = confirmedAct({
  path: 'dead-letters/edit',
  act: 'dead-letters.edit-and-redrive',
  summary: 'Redrive one dead letter with other data, under a new event id',
  fields: {
    source: FILTER.source ?? { about: '' },
    id: { about: 'The id of the letter.', required: true },
    data: { about: 'The data, as JSON.', required: true },
  },
  answers: replacedSchema,
  exists: ({ deadLetters }) => deadLetters.some(({ replace }) => replace !== undefined),
  async perform(form, { options }, act) {
    const source = sourceOf(options, form.optional('source') ?? null)
    if (source.replace === undefined) {
      throw new BadInput(`The data of a dead letter of ${source.name} cannot be exchanged.`)
    }
    const data = form.text('data')
    const letter = await source.get(form.text('id'))
    if (letter !== undefined && maskedData(letter, source.name, options).isChanged) {
      throw new BadInput(
        'The mask of this dashboard changes the data of this letter, so who edits it here has not seen all of it. ' +
          'Edit it with `oncekey dead edit` and the database named, not the dashboard.',
      )
    }
    const replaced = await source.replace(form.text('id'), data, act)
    const isDone = replaced.outcome === 'replaced'
    const id = isDone ? replaced.id : form.text('id')
    const result = isDone ? 'done' : replaced.outcome
    const query = { source: source.name, id, did: 'this took its place', result }
    return { to: linkTo('one', query), result: replaced }
  },
})

function limitOf(form: Form): number {
  const limit = Number(form.optional('limit') ?? MOST_REDRIVEN)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MOST_REDRIVEN) return limit
  throw new BadInput(`\`limit\` must be a whole number from 1 to ${MOST_REDRIVEN}, such as 100.`)
}
