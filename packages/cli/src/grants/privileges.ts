/**
 * The purposes for which a role can be granted privileges. They are the headings of docs/grants.md;
 * a test compares the two.
 */
export const purposes = [
  'request',
  'lease',
  'purge',
  'relay',
  'webhooks',
  'saga',
  'operator',
  'erase',
  'metrics',
  'webhooks-metrics',
  'saga-metrics',
  'inbox',
  'dashboard',
] as const

export type Purpose = (typeof purposes)[number]

export interface Privileges {
  /** Sequences, too. */
  readonly tables: readonly string[]
  readonly privileges: readonly string[]
}

const ALL = ['select', 'insert', 'update', 'delete'] as const

/** The fewest privileges that a role needs for each purpose but the dashboard. */
const privilegesForOne: Readonly<Record<Exclude<Purpose, 'dashboard'>, readonly Privileges[]>> = {
  request: [
    { tables: ['records'], privileges: ['select', 'insert'] },
    { tables: ['attempts'], privileges: ['select', 'delete'] },
    { tables: ['leases'], privileges: ['select'] },
    { tables: ['outbox'], privileges: ['insert'] },
  ],
  lease: [
    { tables: ['records'], privileges: ['select', 'insert'] },
    { tables: ['attempts'], privileges: ALL },
    { tables: ['leases'], privileges: ALL },
    { tables: ['outbox'], privileges: ['insert'] },
  ],
  purge: [
    { tables: ['records', 'attempts', 'leases'], privileges: ['select', 'update', 'delete'] },
  ],
  relay: [
    { tables: ['consumers', 'cursors', 'relays'], privileges: ALL },
    { tables: ['deliveries', 'delivery_attempts', 'processed_events'], privileges: ALL },
    { tables: ['outbox'], privileges: ['select', 'insert'] },
    {
      tables: Array.from({ length: 8 }, (_, part) => `outbox_${part}`),
      privileges: ['select', 'truncate'],
    },
    { tables: ['outbox_seq_seq'], privileges: ['select'] },
    { tables: ['numbering', 'life'], privileges: ALL },
    { tables: ['redrives', 'redrive_portions', 'redrive_letters'], privileges: ALL },
    { tables: ['operations'], privileges: ['select', 'insert'] },
  ],
  webhooks: [
    {
      tables: [
        'webhook_endpoints',
        'webhook_secrets',
        'webhook_messages',
        'webhook_deliveries',
        'webhook_attempts',
      ],
      privileges: ALL,
    },
    { tables: ['redrives'], privileges: ['select', 'insert', 'update'] },
    {
      tables: ['redrive_portions', 'redrive_letters', 'operations'],
      privileges: ['select', 'insert'],
    },
  ],
  saga: [
    { tables: ['saga_runs', 'saga_work', 'saga_steps'], privileges: ALL },
    { tables: ['saga_failures'], privileges: ['select', 'insert', 'delete'] },
    { tables: ['outbox'], privileges: ['insert'] },
    { tables: ['redrives'], privileges: ['select', 'insert', 'update'] },
    {
      tables: ['redrive_portions', 'redrive_letters', 'operations'],
      privileges: ['select', 'insert'],
    },
  ],
  operator: [
    { tables: ['records'], privileges: ['select', 'insert', 'delete'] },
    { tables: ['attempts'], privileges: ['select', 'delete', 'update'] },
    { tables: ['leases'], privileges: ['select', 'insert', 'update'] },
    { tables: ['redrives'], privileges: ['select', 'update'] },
    { tables: ['redrive_portions'], privileges: ['select'] },
    { tables: ['operations'], privileges: ['select', 'insert'] },
  ],
  erase: [
    { tables: ['records'], privileges: ['select', 'update'] },
    { tables: ['operations'], privileges: ['select', 'insert', 'update'] },
  ],
  metrics: [
    { tables: ['records', 'attempts', 'leases'], privileges: ['select'] },
    { tables: ['outbox', 'consumers', 'cursors', 'numbering'], privileges: ['select'] },
    { tables: ['outbox_seq_seq'], privileges: ['select'] },
    { tables: ['deliveries', 'delivery_attempts'], privileges: ['select'] },
  ],
  'webhooks-metrics': [
    { tables: ['webhook_deliveries', 'webhook_attempts'], privileges: ['select'] },
  ],
  'saga-metrics': [{ tables: ['saga_runs'], privileges: ['select'] }],
  inbox: [
    { tables: ['processed_events'], privileges: ['select', 'insert'] },
    { tables: ['outbox'], privileges: ['insert'] },
  ],
}

/** The fewest privileges that a role needs for each purpose. */
export const privilegesFor: Readonly<Record<Purpose, readonly Privileges[]>> = {
  ...privilegesForOne,
  // Its pages of webhooks and sagas need theirs, where there are any.
  dashboard: [...privilegesForOne.operator, ...privilegesForOne.relay],
}

/** The privileges for all of these purposes, each privilege on each table once. */
export function privilegesOf(
  of: readonly Purpose[],
): readonly { readonly table: string; readonly privilege: string }[] {
  const pairs = of
    .flatMap((purpose) => privilegesFor[purpose])
    .flatMap(({ tables, privileges }) =>
      tables.flatMap((table) => privileges.map((privilege) => ({ table, privilege }))),
    )
  return [...new Map(pairs.map((pair) => [`${pair.table} ${pair.privilege}`, pair])).values()]
}

/** GRANT statements for these privileges. Tables with the same privileges share a statement. */
export function grantStatements(
  schema: string,
  role: string,
  pairs: readonly { readonly table: string; readonly privilege: string }[],
): string[] {
  const byTable = new Map<string, string[]>()
  for (const { table, privilege } of pairs) {
    byTable.set(table, [...(byTable.get(table) ?? []), privilege])
  }
  const bySet = new Map<string, string[]>()
  for (const [table, privileges] of byTable) {
    const set = ORDER.filter((each) => privileges.includes(each)).join(', ')
    bySet.set(set, [...(bySet.get(set) ?? []), `${schema}.${table}`])
  }
  return [...bySet].map(([set, tables]) => `grant ${set} on ${tables.join(', ')} to ${role};`)
}

/** The name of a role in SQL, quoted if it would otherwise name another role. */
export function quotedRole(role: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(role) ? role : `"${role.replaceAll('"', '""')}"`
}

const ORDER = ['select', 'insert', 'update', 'delete', 'truncate']
