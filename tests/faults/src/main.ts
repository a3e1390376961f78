import { runCampaign } from './campaign.ts'
import { runEventCampaign } from './events/event-campaign.ts'
import { eventFindingsIn, eventReport } from './events/event-report.ts'
import { campaignOptions, eventCampaignOptions, USAGE } from './options.ts'
import { findingsIn, report } from './report.ts'

const tell = (progress: string): void => console.error(progress)

/** Runs a campaign. Resolves with the number of findings. */
async function run(args: string[]): Promise<number> {
  const events = eventCampaignOptions(args)
  if (events !== undefined) {
    const { store, operations, faults, seed } = events
    tell(`${operations} operations and ${faults} faults on ${store}, --seed ${seed}`)
    const result = await runEventCampaign(events, tell)
    console.log(`\n${eventReport(result)}`)
    return eventFindingsIn(result)
  }
  const orders = campaignOptions(args)
  if (orders === undefined) {
    console.log(USAGE)
    return 0
  }
  tell(
    `${orders.orders} orders and ${orders.faults} faults on ${orders.store}, --seed ${orders.seed}`,
  )
  const result = await runCampaign(orders, tell)
  console.log(`\n${report(result)}`)
  return findingsIn(result)
}

// Explicit, because Node 20 would wait for ever for a handle of a killed child.
process.exit((await run(process.argv.slice(2))) === 0 ? 0 : 1)
