// A table. Where it has no room for its columns each line is a card; the roles say that it still is a table.
// Cells are what `arkway.console.cells` makes; every text is interpolated, so none is markup.
const Cell = {
  props: { cell: Object },
  template: `
    <span v-if="cell.kind === 'tag'" class="tag" :class="cell.tone" :title="cell.title">{{ cell.text }}</span>
    <span v-else-if="cell.kind === 'dot'" class="dot" :class="cell.tone" :title="cell.title">{{ cell.text }}</span>
    <div v-else-if="cell.kind === 'meters' && cell.meters.length" class="meters">
      <template v-for="(meter, at) in cell.meters" :key="at">
        <span class="what" :title="meter.title">{{ meter.what }}</span>
        <span class="bar" :class="meter.tone" role="meter" :aria-label="meter.label" aria-valuemin="0" aria-valuemax="100"
          :aria-valuenow="Math.round(meter.share * 100)" :title="meter.title"><i :style="{ width: 100 * meter.share + '%' }"></i></span>
        <span>{{ meter.text }}</span>
      </template>
    </div>
    <span v-else-if="cell.kind === 'meters'" class="sub">{{ cell.text }}</span>
    <code v-else-if="cell.kind === 'code'" :title="cell.title">{{ cell.text }}</code>
    <a v-else-if="cell.href" :href="cell.href" class="one" :class="{ 'main-text': cell.strong }" :title="cell.text">{{ cell.text }}</a>
    <span v-else :class="{ 'main-text': cell.strong, one: !cell.wrap, wrap: cell.wrap }" :title="cell.wrap ? null : cell.text">{{ cell.text }}</span>
    <span v-if="cell.sub" class="sub" :class="cell.wrap ? 'wrap' : 'one'" :title="cell.wrap ? null : cell.sub">{{ cell.sub }}</span>`,
};

// How wide the place of a table must be, px. Not measured: what is shown changes each second, and cards would flicker.
const WIDE = 900, MIDDLE = 680, NARROW = 240;

export default {
  components: { Cell },
  props: { label: String, columns: Array, rows: Array, actsLabel: String, noneLabel: String },
  emits: ["act"],
  data: () => ({ isCards: false }),
  computed: {
    least() {
      const columns = this.columns.length + (this.actsLabel ? 1 : 0);
      const isProse = this.rows.some((row) => row.cells.some((cell) => cell.wrap || cell.kind === "code"));
      return columns > 5 ? WIDE : this.actsLabel || columns === 5 || isProse ? MIDDLE : NARROW;
    },
  },
  mounted() {
    this.sizes = new ResizeObserver(([place]) => { this.isCards = place.contentRect.width < this.least; });
    this.sizes.observe(this.$el);
  },
  beforeUnmount() { this.sizes.disconnect(); },
  template: `
    <div class="scroll" role="region" :aria-label="label" tabindex="0">
      <table class="grid" :class="{ cards: isCards, many: columns.length > 8 }" role="table" :aria-label="label">
        <thead role="rowgroup"><tr role="row">
          <th v-for="column in columns" :key="column.name" scope="col" role="columnheader" :class="{ num: column.num }">{{ column.label }}</th>
          <th v-if="actsLabel" scope="col" role="columnheader" class="num">{{ actsLabel }}</th>
        </tr></thead>
        <tbody role="rowgroup">
          <tr v-for="row in rows" :key="row.id" role="row">
            <td v-for="(cell, at) in row.cells" :key="at" role="cell" :data-label="columns[at].label"
              :class="{ num: columns[at].num, nowrap: columns[at].nowrap }"><Cell :cell="cell" /></td>
            <td v-if="actsLabel" role="cell" class="buttons"><div class="acts">
              <button v-for="act in row.acts" :key="act.name" type="button" class="btn small quiet"
                :class="{ danger: act.danger }" :aria-label="act.label + ': ' + row.name"
                @click="$emit('act', { row: row.id, act: act.name })">{{ act.label }}</button>
            </div></td>
          </tr>
          <tr v-if="!rows.length && noneLabel" role="row"><td role="cell" :colspan="columns.length + (actsLabel ? 1 : 0)" class="none">{{ noneLabel }}</td></tr>
        </tbody>
      </table>
    </div>`,
};
