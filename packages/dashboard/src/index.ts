export { type Dashboard, dashboard } from './dashboard.ts'
export type { Authorize, DashboardAct, Viewer } from './routing/access.ts'
export type { DashboardOptions } from './routing/options.ts'
