import { writeFileSync } from 'node:fs'
import { countsBench } from './benches/counts.ts'
import { emitBench } from './benches/emit.ts'
import { expressMemoryBench } from './benches/express-memory.ts'
import { expressPostgresBench } from './benches/express-postgres.ts'
import { fastifyMemoryBench } from './benches/fastify-memory.ts'
import { fastifyStoresBench } from './benches/fastify-stores.ts'
import { folderPeersBench } from './benches/folder-peers.ts'
import { growthBench } from './benches/growth.ts'
import { hotKeyBench } from './benches/hot-key.ts'
import { importBench } from './benches/import.ts'
import { inboxBench } from './benches/inbox.ts'
import { koaNestBench } from './benches/koa-nest.ts'
import { latencyBench } from './benches/latency.ts'
import { memoryFootprintBench } from './benches/memory-footprint.ts'
import { operatorBench } from './benches/operator.ts'
import { purgeBench } from './benches/purge.ts'
import { redisClientsBench } from './benches/redis-clients.ts'
import { redisPeersBench } from './benches/redis-peers.ts'
import { relayBench } from './benches/relay.ts'
import { relayPeersBench } from './benches/relay-peers.ts'
import { requestCountsBench } from './benches/request-counts.ts'
import { sagaBench } from './benches/saga.ts'
import { soakBench } from './benches/soak.ts'
import { statementCountsBench } from './benches/statement-counts.ts'
import { telemetryBench } from './benches/telemetry.ts'
import { telemetryCostsBench } from './benches/telemetry-costs.ts'
import { webhooksBench } from './benches/webhooks.ts'
import { workLatencyBench } from './benches/work-latency.ts'
import { compare } from './compare/compare.ts'
import { checkedOut, thisTree } from './compare/revision.ts'
import { machine, machineLines } from './machine.ts'
import { chosenFrom, USAGE } from './options.ts'
import { reportText } from './report.ts'
import { runBenches } from './run-benches.ts'

/** Cheap ones first. A new bench is a file in `benches/` and a line here. */
const benches = [
  memoryFootprintBench,
  expressMemoryBench,
  fastifyMemoryBench,
  redisClientsBench,
  redisPeersBench,
  folderPeersBench,
  fastifyStoresBench,
  koaNestBench,
  countsBench,
  expressPostgresBench,
  telemetryBench,
  telemetryCostsBench,
  growthBench,
  hotKeyBench,
  purgeBench,
  webhooksBench,
  sagaBench,
  relayBench,
  relayPeersBench,
  latencyBench,
  workLatencyBench,
  inboxBench,
  emitBench,
  soakBench,
  requestCountsBench,
  statementCountsBench,
  operatorBench,
  importBench,
]

const chosen = chosenFrom(process.argv.slice(2), benches)
if (chosen.help) {
  console.log(`${USAGE}\n`)
  for (const { name, about } of benches) console.log(`  ${name.padEnd(18)}${about}`)
} else if (chosen.compare !== undefined) {
  const { rounds } = chosen.options
  const then = await checkedOut(chosen.compare.commit)
  try {
    const now = thisTree()
    const { tables, unmatched } = await compare(now, then, { rounds, args: chosen.compare.args })
    const notes = unmatched.map((cell) => `Only in ${now.name}: ${cell}`)
    console.log(`\n## ${now.name} over ${then.name}, ${rounds} rounds\n`)
    console.log(reportText({ tables, budgets: [], notes }))
    if (chosen.json !== undefined) {
      writeFileSync(chosen.json, `${JSON.stringify({ rounds, tables, unmatched }, null, 2)}\n`)
    }
  } finally {
    await then.remove()
  }
} else {
  const before = machine()
  const results = await runBenches(chosen.benches, chosen.options, ({ bench, report }) => {
    console.log(`\n## ${bench}\n\n${reportText(report)}`)
  })
  console.log(`\n## Machine\n\n${machineLines(before, results).join('\n')}`)
  if (chosen.json !== undefined) {
    writeFileSync(chosen.json, `${JSON.stringify({ machine: before, results }, null, 2)}\n`)
  }
}
