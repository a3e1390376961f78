export { fromSequelize, type SequelizeDatabase } from './bridges/on-pg/sequelize.ts'
