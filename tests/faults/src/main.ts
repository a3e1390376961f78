import { runCampaign } from './campaign.ts'
import { campaignOptions, USAGE } from './options.ts'
import { findingsIn, report } from './report.ts'

const options = campaignOptions(process.argv.slice(2))
if (options === undefined) {
  console.log(USAGE)
} else {
  const { store, orders, faults, seed } = options
  console.error(`${orders} orders and ${faults} faults on ${store}, --seed ${seed}`)
  const result = await runCampaign(options, (progress) => console.error(progress))
  console.log(`\n${report(result)}`)
  // Said outright: Node 20 waits for ever for a handle of a killed child when it ends by itself.
  process.exit(findingsIn(result) === 0 ? 0 : 1)
}
