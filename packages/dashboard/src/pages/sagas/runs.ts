import { type Html, html } from '../../html/html.ts'
import {
  badge,
  choice,
  errorOf,
  field,
  filledIn,
  linkTo,
  nextPage,
  table,
  time,
} from '../../html/parts.ts'
import { limitOf, PAGING } from '../../routing/paging.ts'
import { type Asked, BadInput, type PageRoute, page } from '../../routing/route.ts'
import { RUN_STATES, type SagasSource, type ShownRun } from '../../sources/sagas.ts'
import { maskedRun } from './masked.ts'
import { runsSchema } from './schemas.ts'

interface Runs {
  readonly items: readonly ShownRun[]
  readonly next: string | undefined
}

/** The page of saga runs. */
export const sagasPage: PageRoute = page<Runs>({
  path: 'sagas',
  title: 'Sagas',
  inNavigation: true,
  isConfinable: false,
  api: {
    summary: 'Runs of sagas, by their ids',
    takes: {
      saga: { about: 'Only of this saga.' },
      state: { about: 'Only in this state.', choices: RUN_STATES },
      stuck: { about: 'Only those that need a person.', choices: ['yes'] },
      ...PAGING,
    },
    answers: runsSchema,
  },
  exists: ({ sagas }) => sagas !== undefined,
  async load({ options, query }) {
    const items = await (options.sagas as SagasSource).list({
      ...filterOf(query),
      limit: limitOf(query),
    })
    const next = items.length < limitOf(query) ? undefined : items.at(-1)?.id
    return { items: items.map((run) => maskedRun(run, options)), next }
  },
  render({ items, next }, { query }: Asked): Html {
    return html`<form class="filter" action="" method="get">
${field('saga', 'Saga', query.get('saga'))}
${choice('state', 'State', query.get('state'), RUN_STATES)}
${choice('stuck', 'Needs a person', query.get('stuck'), ['yes'])}
<button>Look</button>
</form>
${table(
  ['Run', 'Saga', 'State', 'Step', 'Why', 'Started', 'Ended'],
  items.map((run) => [
    html`<a href="${linkTo('sagas/run', { id: run.id })}">${run.id}</a>`,
    `${run.saga} ${run.version}`,
    badge(run.state),
    run.failedStep,
    run.error === undefined ? run.stuck?.detail : errorOf(run.error),
    time(run.startedAt),
    run.endedAt && time(run.endedAt),
  ]),
  'No runs like these. Every run that is started would be here, until it is purged.',
)}
${nextPage(next && linkTo('sagas', { ...Object.fromEntries(query), after: next }))}`
  },
})

function filterOf(query: URLSearchParams): Omit<Parameters<SagasSource['list']>[0], 'limit'> {
  const { state, ...filter } = filledIn(query, 'saga', 'state', 'after')
  const known = RUN_STATES.find((each) => each === state)
  if (state !== undefined && known === undefined) {
    throw new BadInput(`There is no state "${state}". These there are: ${RUN_STATES.join(', ')}.`)
  }
  return {
    ...filter,
    ...(known !== undefined && { state: known }),
    ...(query.get('stuck') === 'yes' && { stuck: true }),
  }
}
