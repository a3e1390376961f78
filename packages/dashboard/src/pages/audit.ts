import type { Operation, OperationFilter, OperationPage, Operations } from '@oncekey/core'
import { type Content, type Html, html } from '../html/html.ts'
import { field, filledIn, linkTo, nextPage, table, time } from '../html/parts.ts'
import { timeOf } from '../routing/given-time.ts'
import { limitOf, PAGING } from '../routing/paging.ts'
import { type PageRoute, page } from '../routing/route.ts'
import { auditSchema } from './audit-schema.ts'

/** The page of the audit trail: who did what, and why, the newest entry first. */
export const auditPage: PageRoute = page<OperationPage>({
  path: 'audit',
  title: 'Audit',
  inNavigation: true,
  isConfinable: false,
  api: {
    summary: 'Who did what, and why; the newest first',
    takes: {
      actor: { about: 'Only what this one did.' },
      act: { about: 'Only this act: `keys.release`.' },
      target: { about: 'Only what was done to this target, as an entry has it.' },
      since: { about: 'From this time on, ISO 8601 with its zone.' },
      until: { about: 'Up to this time, ISO 8601 with its zone.' },
      ...PAGING,
    },
    answers: auditSchema,
  },
  exists: ({ operations }) => operations !== undefined,
  async load({ options, query }) {
    const after = query.get('after')
    const { items, next } = await (options.operations as Operations).list(filterOf(query), {
      limit: limitOf(query),
      ...(after !== null && { after }),
    })
    return { items: options.isMasked ? items.map(withoutData) : items, next }
  },
  render(data, { query }): Html {
    const next = data.next && linkTo('audit', { ...Object.fromEntries(query), after: data.next })
    return html`<form class="filter" action="" method="get">
${field('actor', 'Who', query.get('actor'))}
${field('act', 'What', query.get('act'), 'keys.release')}
<button>Look</button>
</form>
${table(
  ['When', 'Who', 'What', 'To what', 'Why', 'Detail'],
  data.items.map(({ at, actor, act, target, note, detail }) => [
    time(at),
    actor,
    act,
    targetOf(target),
    note,
    detailOf(detail),
  ]),
  'Nothing has been done from outside yet. Every act would be here, with who did it and why.',
)}
${nextPage(next)}`
  },
})

/** For the edit of a dead letter: leaves out the data, and keeps the paths that were changed. */
function withoutData(operation: Operation): Operation {
  const { changes } = operation.detail
  if (!Array.isArray(changes)) return operation
  const places = changes.map(({ path }) => ({ path }))
  return { ...operation, detail: { ...operation.detail, changes: places } }
}

function filterOf(query: URLSearchParams): OperationFilter {
  const [since, until] = (['since', 'until'] as const).map((name) =>
    timeOf(name, (each) => query.get(each)),
  )
  return {
    ...filledIn(query, 'actor', 'act', 'target'),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  }
}

/**
 * The target of an act: for a key, a link to the key's page; for anything else, the text of the
 * audit entry.
 */
function targetOf(target: string): Content {
  const parts = partsOf(target)
  if (parts?.length !== 4 || parts[0] !== 'key') return target
  const [, namespace = '', scope = '', key = ''] = parts
  return html`<a href="${linkTo('keys/one', { namespace, scope, key })}">${key}</a><br>of ${scope}, ${namespace}`
}

function partsOf(target: string): string[] | undefined {
  try {
    const parts = JSON.parse(target)
    return Array.isArray(parts) ? parts.map(String) : undefined
  } catch {
    return undefined
  }
}

function detailOf(detail: Readonly<Record<string, unknown>>): Content {
  return Object.entries(detail).map(
    ([name, value]) =>
      html`<div>${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}</div>`,
  )
}
