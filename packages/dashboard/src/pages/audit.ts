import type { OperationPage, Operations } from '@oncekey/core'
import { type Content, type Html, html } from '../html/html.ts'
import { field, filledIn, linkTo, nextPage, table, time } from '../html/parts.ts'
import { type PageRoute, page } from '../routing/route.ts'
import { auditSchema } from './audit-schema.ts'

/** Who did what, and why; the newest first. */
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
      after: { about: '`next` of the page before.' },
    },
    answers: auditSchema,
  },
  exists: ({ operations }) => operations !== undefined,
  load({ options, query }) {
    const after = query.get('after')
    return (options.operations as Operations).list(filledIn(query, 'actor', 'act'), {
      limit: LIMIT,
      ...(after !== null && { after }),
    })
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

/** A key leads to its page; whatever else it was stands as the audit has it. */
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

const LIMIT = 50
