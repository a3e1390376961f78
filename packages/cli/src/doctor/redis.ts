import type { Call } from '../command/command.ts'
import { shownDuration } from '../output/page.ts'
import { type Checked, type CheckResult, checked } from './finding.ts'

/** Runs all checks on a Redis. */
export async function checkRedis(call: Call): Promise<Checked[]> {
  const redis = call.redis()
  const info = factsOf(await redis.info())
  const setting = async (name: string): Promise<string | undefined> => {
    // Managed servers may not allow CONFIG.
    const answer = (await redis.config('GET', name).catch(() => [])) as string[]
    return answer[1]
  }
  return [
    await checked('redis server', async () => serverResult(info)),
    await checked('redis eviction', async () => evictionResult(info)),
    await checked('redis persistence', async () =>
      persistenceResult(info, await setting('save'), await setting('appendfsync')),
    ),
    await checked('redis replicas', async () =>
      replicasResult(info, await setting('min-replicas-to-write')),
    ),
    await checked('redis dead letters', () => deadLettersResult(call)),
  ]
}

type Facts = ReadonlyMap<string, string>

function factsOf(info: string): Facts {
  const lines = info.split(/\r?\n/).filter((line) => line.includes(':'))
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}

function serverResult(info: Facts): CheckResult {
  const name = `${info.get('server_name') ?? 'Redis'} ${info.get('redis_version')}`
  const isReplica = info.get('role') === 'slave'
  return {
    well: `${name}, ${info.get('redis_mode')}`,
    findings: isReplica
      ? [
          {
            level: 'fault',
            what: 'The server is a replica.',
            why: 'It takes no writes: every request is answered 503.',
            todo: `Name its primary, ${info.get('master_host')}:${info.get('master_port')}, or go through Sentinel.`,
          },
        ]
      : [],
  }
}

function evictionResult(info: Facts): CheckResult {
  const most = Number(info.get('maxmemory') ?? 0)
  const used = Number(info.get('used_memory') ?? 0)
  const policy = info.get('maxmemory_policy') ?? 'noeviction'
  const findings: CheckResult['findings'][number][] = []
  if (most > 0 && policy !== 'noeviction') {
    findings.push({
      level: 'fault',
      what: `maxmemory-policy is ${policy}.`,
      why: 'When memory is full, records are evicted, and a retry runs its handler again. The store refuses every claim because of it.',
      todo: 'Set it to noeviction, here and in redis.conf.',
      statements: ['CONFIG SET maxmemory-policy noeviction'],
    })
  }
  if (most > 0 && used > most * 0.9) {
    findings.push({
      level: 'warning',
      what: `${Math.round((used / most) * 100)} % of maxmemory is in use.`,
      why: 'When it is full, every claim is refused.',
      todo: 'Raise maxmemory, or keep results and keys for a shorter time.',
    })
  }
  return {
    well: most === 0 ? 'memory has no limit, and nothing is evicted' : 'nothing is evicted',
    findings,
  }
}

function persistenceResult(
  info: Facts,
  save: string | undefined,
  appendfsync: string | undefined,
): CheckResult {
  const hasAof = info.get('aof_enabled') === '1'
  const findings: CheckResult['findings'][number][] = []
  if (!hasAof && save === '') {
    findings.push({
      level: 'fault',
      what: 'Nothing is written to disk: neither appendonly nor save is on.',
      why: 'A restart forgets every key, and retries run their handlers again.',
      todo: 'Turn the append-only file on, here and in redis.conf.',
      statements: ['CONFIG SET appendonly yes'],
    })
  } else if (!hasAof) {
    findings.push({
      level: 'warning',
      what: `Only snapshots are written to disk${save === undefined ? '' : ` (save ${save})`}.`,
      why: 'A crash forgets the keys since the last one, minutes ago, and their retries run again.',
      todo: 'Turn the append-only file on, here and in redis.conf.',
      statements: ['CONFIG SET appendonly yes'],
    })
  } else if (appendfsync === 'no') {
    findings.push({
      level: 'warning',
      what: 'appendfsync is no.',
      why: 'A crash of the machine forgets what the system had not written yet, half a minute or so.',
      todo: 'Set it to everysec, or to always where not a second may be lost.',
      statements: ['CONFIG SET appendfsync everysec'],
    })
  }
  const failing = [
    'rdb_last_bgsave_status',
    'aof_last_write_status',
    'aof_last_bgrewrite_status',
  ].filter((name) => (info.get(name) ?? 'ok') !== 'ok')
  if (failing.length > 0) {
    findings.push({
      level: 'fault',
      what: `The last write to disk failed (${failing.join(', ')}).`,
      why: 'Redis may refuse every write, and a restart loses what is in memory.',
      todo: 'Look at its log: most often the disk is full.',
    })
  }
  return { well: 'what is acknowledged is written to the append-only file', findings }
}

/** Exported for its test: there is no such server to start. */
export function replicasResult(info: Facts, least: string | undefined): CheckResult {
  const count = Number(info.get('connected_slaves') ?? 0)
  const findings: CheckResult['findings'][number][] = []
  if (count > 0 && least === '0') {
    findings.push({
      level: 'warning',
      what: `There ${count === 1 ? 'is 1 replica' : `are ${count} replicas`}, and min-replicas-to-write is 0.`,
      why: `${CUT_OFF}.`,
      todo: 'Have the primary refuse writes that no replica gets, and give the store `replicas`.',
      statements: ['CONFIG SET min-replicas-to-write 1', 'CONFIG SET min-replicas-max-lag 10'],
    })
  }
  // Of a server that does not allow CONFIG the setting is not known, and its version is old.
  if (count > 0 && least !== '0' && ignoresReplicasInScripts(info)) {
    findings.push({
      level: 'warning',
      what: `Redis ${info.get('redis_version')} does not apply min-replicas-to-write to scripts.`,
      why: `Oncekey writes by scripts. ${CUT_OFF}.`,
      todo: 'Update the server to 6.2.7 or newer.',
    })
  }
  return {
    well:
      count === 0
        ? 'there are no replicas'
        : `${count} connected, and min-replicas-to-write is set`,
    findings,
  }
}

const CUT_OFF =
  'A primary that was cut off goes on taking keys, and a failover forgets them: their retries run again'

/** Every release before 6.2.7: redis/redis#9993. */
function ignoresReplicasInScripts(info: Facts): boolean {
  const [major = 0, minor = 0, patch = 0] = (info.get('redis_version') ?? '').split('.').map(Number)
  return major * 10_000 + minor * 100 + patch < 60_207
}

async function deadLettersResult(call: Call): Promise<CheckResult> {
  const { redisLog } = await import('@oncekey/redis')
  const { depth, oldestAgeMs } = await redisLog({ client: call.redis() }).deadLetters.stats()
  return {
    well: 'there are no dead letters',
    findings:
      depth === 0
        ? []
        : [
            {
              level: 'warning',
              what: `${depth} dead letters, the oldest ${shownDuration(oldestAgeMs)} old.`,
              why: 'They are not tried again by themselves.',
              todo: 'See oncekey dead groups --redis <url>; put right what they died of, then oncekey dead redrive.',
            },
          ],
  }
}
