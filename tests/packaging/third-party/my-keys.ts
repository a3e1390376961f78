import {
  type Act,
  type ActResult,
  checkedAct,
  checkedAnswer,
  checkPageLimit,
  type KeyDetail,
  type KeyName,
  type KeyState,
  keyTarget,
  OncekeyError,
  type Operation,
  type Store,
  type StoredResponse,
} from '@oncekey/core'

export interface Row {
  readonly fingerprint: string
  token: string
  readonly number: number
  /** When the first attempt claimed the key. */
  readonly claimedAt: number
  leaseUntil: number
  completedAt: number
  response: StoredResponse | undefined
}

export function idOf({ namespace, scope, key }: KeyName): string {
  return JSON.stringify([namespace, scope, key])
}

/**
 * The operator's side of the store: it finds a key by its name and has no list. No act awaits, so
 * the act and its entry in the trail are one.
 */
export function myKeys(
  records: Map<string, Row>,
  changed: (id: string) => void,
): Pick<Store, 'keys' | 'operations'> {
  const trail: Operation[] = []

  return {
    keys: {
      lists: false,
      async get(name, { body = false } = {}) {
        const row = records.get(idOf(name))
        return row && detailOf(name, row, body)
      },
      async list() {
        throw new OncekeyError('list-unsupported', 'This store finds keys by name only.')
      },
      release: async (name, act) =>
        acted('keys.release', name, act, (row) => {
          if (stateOf(row) !== 'unknown') return stateOf(row)
          records.delete(idOf(name))
          return 'done'
        }),
      answer: async (name, response, act) =>
        acted('keys.answer', name, act, (row) => {
          if (stateOf(row) !== 'unknown') return stateOf(row)
          const kept = structuredClone(checkedAnswer(response))
          const answered = { response: kept, completedAt: Date.now() }
          Object.assign(row, { ...answered, token: '' })
          return 'done'
        }),
      forget: async ({ fingerprint, ...name }, act) =>
        acted('keys.forget', name, act, (row) => {
          if (row.response === undefined) return stateOf(row)
          if (row.fingerprint !== fingerprint) return 'other-request'
          records.delete(idOf(name))
          return 'done'
        }),
    },

    operations: {
      async list({ actor, act, target, since, until }, { limit, after }) {
        checkPageLimit('operations.list', limit)
        const meant = trail.filter(
          (entry) =>
            Number(entry.id) < Number(after ?? Number.POSITIVE_INFINITY) &&
            (actor ?? entry.actor) === entry.actor &&
            (act ?? entry.act) === entry.act &&
            (target ?? entry.target) === entry.target &&
            (since ?? entry.at) <= entry.at &&
            (until ?? entry.at) >= entry.at,
        )
        const items = meant.reverse().slice(0, limit)
        return { items, next: meant.length > limit ? items.at(-1)?.id : undefined }
      },
    },
  }

  function acted(
    verb: string,
    name: KeyName,
    act: Act,
    perform: (row: Row) => ActResult,
  ): ActResult {
    const { actor, note } = checkedAct(verb, act)
    const row = records.get(idOf(name))
    if (row === undefined) return 'absent'
    const result = perform(row)
    if (result !== 'done') return result
    const id = String(trail.length + 1)
    const { fingerprint } = row
    const target = keyTarget(name)
    trail.push({ id, at: new Date(), actor, act: verb, target, note, detail: { fingerprint } })
    changed(idOf(name))
    return result
  }
}

function stateOf({ response, leaseUntil }: Row): KeyState {
  if (response === undefined) return leaseUntil > Date.now() ? 'running' : 'unknown'
  return response.body === null ? 'result-gone' : 'finished'
}

function detailOf(name: KeyName, row: Row, withBody: boolean): KeyDetail {
  const { fingerprint, number, claimedAt, leaseUntil, completedAt, response } = row
  const state = stateOf(row)
  const bytes = response?.body ?? null
  return {
    ...name,
    state,
    fingerprint,
    attempt:
      response === undefined
        ? { number, claimedAt: new Date(claimedAt), leaseUntil: new Date(leaseUntil) }
        : null,
    status: response?.status ?? null,
    completedAt: response === undefined ? null : new Date(completedAt),
    response:
      response === undefined || state === 'result-gone'
        ? null
        : { ...response, body: withBody ? bytes : null, bodyBytes: bytes?.length ?? 0 },
  }
}
