import type { TableComment } from './comments-on.ts'

/** Comments of the store's tables, and of those that describe the schema. */
export const storeComments: Readonly<Record<string, TableComment>> = {
  migrations: {
    about: 'Which migrations of which package have run.',
    columns: {
      package: 'postgres, saga or webhooks.',
      version: 'The number of the migration in its package, from 1.',
      applied_at: 'When it ran.',
    },
  },
  records: {
    about: 'Finished keys: a retry with one gets its response. True until purge takes them.',
    columns: {
      namespace: 'Which use the key is for: http, or the name given to once().',
      scope: 'Whose key it is: the tenant or caller.',
      key: 'The idempotency key, as the client chose it.',
      fingerprint: 'Hash of what was asked for: the same key with another one is refused.',
      status: 'Status of the stored response.',
      headers: 'Headers of the response: a JSON list of names and values.',
      body: 'Bytes of the response; null where the result is not kept.',
      seal: 'Name of the key that the body is sealed with; null where it is not sealed.',
      completed_at: 'When it was committed.',
      token: 'The attempt that completed it, by which a lost answer is found out.',
    },
  },
  attempts: {
    about: 'Lease mode: keys whose handler runs, or ended without reporting an outcome.',
    columns: {
      namespace: 'As in records.',
      scope: 'As in records.',
      key: 'As in records.',
      fingerprint: 'As in records.',
      number: '1; 2 after a takeover, and so on.',
      token: 'Proof of owning the attempt; its lease is in leases.',
      until: 'End of the first lease. Later ones are in leases.',
      claimed_at: 'When the first attempt claimed the key.',
    },
  },
  leases: {
    about: 'Lease mode: renewed leases, apart from attempts so that renewing writes little.',
    columns: {
      token: 'Of the attempt.',
      until: 'Until when its owner may write; null where it may not any more.',
      renewed_first_at: 'When it was renewed for the first time.',
    },
  },
  life: {
    about: 'Names the life of this server: numbers from another one mean nothing here.',
    columns: {
      token: 'The name of the life.',
      written_by: 'The transaction that wrote it, which a crash or failover may have lost.',
      database: 'The database it was written in; a copy has another.',
    },
  },
  numbering: {
    about: 'Whose transaction numbers stand in the log.',
    columns: {
      system: 'The system identifier of that server.',
      written_by: 'The transaction that wrote it.',
    },
  },
}
