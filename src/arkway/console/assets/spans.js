// When did what of a call happen? A bar for each attempt on one scale.
export default {
  props: { rows: Array, label: String },
  template: `
    <div role="list" :aria-label="label">
      <div v-for="row in rows" :key="row.name" class="span-row" role="listitem">
        <div><div class="main-text">{{ row.name }}</div><div class="sub faint small-text">{{ row.sub }}</div></div>
        <div class="track" :title="row.title" role="img" :aria-label="row.title">
          <i v-for="(part, at) in row.parts" :key="at" :class="part.kind"
            :style="{ left: 100 * part.from + '%', width: 100 * part.share + '%' }"></i>
        </div>
        <div class="num">{{ row.took }}</div>
      </div>
    </div>`,
};
