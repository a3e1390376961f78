import type { KeyFilter, KeyPage, KeyState, Keys } from '@oncekey/core'
import { type Html, html } from '../../html/html.ts'
import { badge, choice, field, linkTo, nextPage, table, time } from '../../html/parts.ts'
import { maySee } from '../../routing/access.ts'
import { limitOf, PAGING } from '../../routing/paging.ts'
import { type Asked, BadInput, Forbidden, type PageRoute, page } from '../../routing/route.ts'
import { keysSchema } from './schemas.ts'

const STATES: readonly KeyState[] = ['unknown', 'running', 'finished', 'result-gone']

/** The page of keys that match a filter. */
export const keysPage: PageRoute = page<KeyPage>({
  path: 'keys',
  title: 'Keys',
  inNavigation: true,
  isConfinable: true,
  api: {
    summary: 'Keys by scope, or by time',
    takes: {
      namespace: { about: 'Only of this namespace: `http` where it was not chosen.' },
      scope: { about: 'Only of this scope; needs `namespace`.' },
      prefix: { about: 'Only keys that begin so; needs `scope`.' },
      state: { about: 'Only in this state.', choices: STATES },
      ...PAGING,
    },
    answers: keysSchema,
    mayHaveNoList: true,
  },
  exists: ({ keys }) => keys !== undefined,
  load: async ({ options, viewer, query, isApi }) => {
    // The page has a form for one key instead. An empty list would tell a program that there is no
    // such key; the store's own list throws.
    if (!isApi && !options.keys?.lists) return { items: [], next: undefined }
    const filter = filterOf(query)
    if (filter.scope === undefined && viewer.scopes !== undefined) {
      throw new BadInput(
        `You see keys of these scopes: ${viewer.scopes.join(', ')}. Fill in a namespace and one of them.`,
      )
    }
    if (filter.scope !== undefined && !maySee(viewer, filter.scope)) throw new Forbidden()
    const after = query.get('after')
    return (options.keys as Keys).list(filter, {
      limit: limitOf(query),
      ...(after !== null && { after }),
    })
  },
  render(data, { query, options }): Html {
    if (!options.keys?.lists) return lookUp()
    const next = data.next && linkTo('keys', { ...Object.fromEntries(query), after: data.next })
    return html`${filterForm({ query })}
${table(
  ['Key', 'Namespace', 'Scope', 'State', 'Attempt', 'Status', 'When'],
  data.items.map((item) => [
    html`<a href="${linkTo('keys/one', { namespace: item.namespace, scope: item.scope, key: item.key })}">${item.key}</a>`,
    item.namespace,
    item.scope,
    badge(item.state),
    item.attempt?.number,
    item.status,
    time(item.completedAt ?? item.attempt?.claimedAt),
  ]),
  'No keys like these on this page.',
)}
${nextPage(next)}`
  },
})

/** The form for a store that has no list and finds keys by name only. */
function lookUp(): Html {
  return html`<form class="filter" action="keys/one" method="get">
${field('namespace', 'Namespace', 'http')}
${field('scope', 'Scope', null)}
${field('key', 'Key', null)}
<button>Look</button>
</form>
<p class="empty">This store has no list of its keys: look one up by its name.</p>`
}

/**
 * The form for filtering the list. It is also shown beside an error, because it says which fields a
 * filter needs.
 */
export function filterForm({ query }: Pick<Asked, 'query'>): Html {
  return html`<form class="filter" action="" method="get">
${field('namespace', 'Namespace', query.get('namespace'), 'http')}
${field('scope', 'Scope', query.get('scope'))}
${field('prefix', 'Key begins with', query.get('prefix'))}
${choice('state', 'State', query.get('state'), STATES)}
<button>Look</button>
</form>`
}

function filterOf(query: URLSearchParams): KeyFilter {
  const filled = (name: string): string | undefined => query.get(name) || undefined
  const [namespace, scope, keyPrefix, state] = ['namespace', 'scope', 'prefix', 'state'].map(filled)
  if (state !== undefined && !STATES.includes(state as KeyState)) {
    throw new BadInput(`There is no state "${state}". These there are: ${STATES.join(', ')}.`)
  }
  if (scope !== undefined && namespace === undefined) {
    throw new BadInput('A scope is looked for in a namespace: fill in both. The usual one is http.')
  }
  if (keyPrefix !== undefined && scope === undefined) {
    throw new BadInput('A key is looked for in a scope: fill in its namespace and scope, too.')
  }
  return {
    ...(namespace !== undefined && { namespace }),
    ...(scope !== undefined && { scope }),
    ...(keyPrefix !== undefined && { keyPrefix }),
    ...(state !== undefined && { state: state as KeyState }),
  }
}
