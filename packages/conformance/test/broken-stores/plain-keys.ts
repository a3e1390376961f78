import {
  type Act,
  type ActResult,
  checkedAct,
  checkedAnswer,
  checkPageLimit,
  type KeyDetail,
  type KeyName,
  type Keys,
  keyTarget,
  OncekeyError,
  type Operation,
  type Operations,
} from '@oncekey/core'
import { type Steps, turn } from './plain-store.ts'
import type { Row, Table } from './plain-table.ts'

/** The operator's side of a plain store: it finds keys by name and has no list of them. */
export function plainKeys(
  mode: 'transaction' | 'lease',
  table: Table,
  steps: Steps,
): { readonly keys: Keys; readonly operations: Operations } {
  const find = (name: KeyName): Row | undefined => steps.look(steps.id(name), table)

  const keys: Keys = {
    lists: false,
    async get(name, { body: withBody = false } = {}) {
      await turn()
      const row = find(name)
      return row === undefined ? undefined : detailOf(name, row, withBody)
    },
    async list() {
      throw new OncekeyError('list-unsupported', 'The table has no list of its keys.')
    },
    release: (name, act) =>
      acted('keys.release', name, act, (row) => {
        if (stateOf(row) !== 'unknown') return stateOf(row)
        table.over.add(row.token)
        table.rows.delete(steps.id(name))
        return 'done'
      }),
    answer: async (name, response, act) =>
      acted('keys.answer', name, act, (row) => {
        if (stateOf(row) !== 'unknown') return stateOf(row)
        const encoded = steps.encode(checkedAnswer(response))
        Object.assign(row, { state: 'finished', finishedAt: table.now, token: '' })
        row.response = encoded
        return 'done'
      }),
    forget: ({ fingerprint, ...name }, act) =>
      acted('keys.forget', name, act, (row) => {
        if (row.state === 'running') return stateOf(row)
        if (row.fingerprint !== fingerprint) return 'other-request'
        table.over.add(row.token)
        table.rows.delete(steps.id(name))
        return 'done'
      }),
  }

  const operations: Operations = {
    async list({ target, act }, { limit, after = '0' }) {
      checkPageLimit('operations.list', limit)
      await turn()
      const meant = table.trail
        .filter((entry) => (target ?? entry.target) === entry.target)
        .filter((entry) => (act ?? entry.act) === entry.act)
        .reverse()
      const start = Number(after)
      const items = meant.slice(start, start + limit)
      return { items, next: start + limit < meant.length ? String(start + limit) : undefined }
    },
  }

  return { keys, operations }

  async function acted(
    verb: string,
    name: KeyName,
    act: Act,
    perform: (row: Row) => ActResult,
  ): Promise<ActResult> {
    const { actor, note } = checkedAct(verb, act)
    await turn()
    const row = find(name)
    if (row === undefined) return 'absent'
    const result = perform(row)
    if (result !== 'done') return result
    const operation: Operation = {
      id: String(table.trail.length + 1),
      at: new Date(table.now),
      actor,
      act: verb,
      target: keyTarget(name),
      note,
      detail: { fingerprint: row.fingerprint },
    }
    table.trail.push(operation)
    return result
  }

  function stateOf(row: Row): KeyDetail['state'] {
    if (row.state === 'running') return steps.hasLapsed(row, table) ? 'unknown' : 'running'
    if (steps.isResultGone(row, table)) return 'result-gone'
    return steps.decode(row.response)?.body == null ? 'result-gone' : 'finished'
  }

  function detailOf(name: KeyName, row: Row, withBody: boolean): KeyDetail {
    const state = stateOf(row)
    const response = state === 'finished' ? steps.decode(row.response) : null
    const isAttemptKnown = row.state === 'running' && mode === 'lease'
    return {
      ...name,
      state,
      fingerprint: row.fingerprint,
      attempt: isAttemptKnown
        ? {
            number: row.number,
            claimedAt: new Date(row.claimedAt),
            leaseUntil: new Date(row.leaseUntil),
          }
        : null,
      status: response?.status ?? null,
      completedAt: row.state === 'finished' ? new Date(row.finishedAt) : null,
      response: response && {
        ...response,
        body: withBody ? response.body : null,
        bodyBytes: response.body?.length ?? 0,
      },
    }
  }
}
